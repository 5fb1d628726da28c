"""All of AWS that the platform uses, on this machine's loopback interface: moto, SageMaker and Redshift together."""

"""What `packaging doctor` finds when all is well, and how a service is made to refuse."""

import json
import os
from types import SimpleNamespace

import boto3
from aws_fixtures import REGION
from botocore.config import Config

from packaging_assets.doctor.examination import examine
from packaging_assets.doctor.parts import checks_for
from packaging_assets.settings import Settings

ACCOUNT = "123456789012"
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {}}
SERVICES = (
    *("sts", "s3", "kms", "iam", "ecr", "sagemaker", "sns", "sqs", "cloudwatch"),
    *("redshift", "redshift-serverless", "redshift-data"),
)


def _client(service):
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client(service, region_name=REGION, config=config)


def endpoints(moto_url, sagemaker, redshift):
    """The environment variables under which boto3 finds the stand-ins."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ENDPOINT_URL_SAGEMAKER": sagemaker.url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **redshift.environment,
    }


class Cloud:
    """Bucket, topics, queue, role, image, key, model group and warehouse, by names of their own."""

    def __init__(self, redshift, home, unique):
        self.clients = {service: _client(service) for service in SERVICES}
        self.home = home
        self._answers = []
        self._redshift = redshift
        self.database = f"test_{unique}"
        redshift.create_database(self.database)
        self.bucket = f"packaging-{unique}"
        self.clients["s3"].create_bucket(Bucket=self.bucket)
        self.topics = {
            severity: self.clients["sns"].create_topic(Name=f"{unique}-{severity}s")["TopicArn"]
            for severity in ("error", "warning")
        }
        self.queue = self._queue(unique)
        for topic in self.topics.values():
            self.clients["sns"].subscribe(
                TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique}"
            )
        self.role = self._role(f"{unique}-job", "sagemaker.amazonaws.com")
        self.image = self._image(f"packaging-{unique}")
        self.key = self.clients["kms"].create_key()["KeyMetadata"]["Arn"]
        self.groups = unique
        self.clients["sagemaker"].create_model_package_group(ModelPackageGroupName=f"{unique}-mailer")
        self.given = {
            "env": "aws",
            "home": home,
            "name": unique,
            "s3_bucket": self.bucket,
            "s3_prefix": "live",
            "kms_key": self.key,
            "redshift_workgroup": "packaging",
            "redshift_host": "127.0.0.1",
            "redshift_port": redshift.port,
            "redshift_database": self.database,
            "redshift_copy_role_arn": self.role,
            "sagemaker_role_arn": self.role,
            "sagemaker_image": self.image,
            "error_topic_arn": self.topics["error"],
            "warning_topic_arn": self.topics["warning"],
            "trigger_queue_url": self.queue,
        }

    def settings(self, **other):
        return Settings(**{**self.given, **other})

    def look(self, *parts, settings=None, **options):
        """The findings of these parts (all: none given), and of what they wait for."""
        settings = settings or self.settings()
        checks = {check.part: check for check in checks_for(settings, self.clients.__getitem__, **options)}
        wanted = list(parts or checks)
        for part in wanted:
            if checks[part].after and checks[part].after not in wanted:
                wanted.append(checks[part].after)
        found = examine(settings, [check for part, check in checks.items() if part in wanted])
        return {finding.part: finding for finding in found}

    def one(self, part, **options):
        """The finding of one part."""
        return self.look(part, **options)[part]

    def answer(self, service, operation, code, message="", headers=None):
        """Let an operation of a service answer with an error from now on."""
        refused = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": headers or {}},
        }
        self.intervene(service, operation, lambda **_: (SimpleNamespace(status_code=400), refused))

    def intervene(self, service, operation, handler):
        """Let `handler` see each call of an operation, and answer it: see boto3's event `before-call`."""
        meta = self.clients[service].meta
        name = f"before-call.{meta.service_model.service_id.hyphenize()}.{operation}"
        meta.events.register_first(name, handler)
        self._answers.append((meta.events, name, handler))

    def forget_answers(self):
        """Let every service answer for itself again."""
        while self._answers:
            events, name, handler = self._answers.pop()
            events.unregister(name, handler)

    def close(self):
        self._redshift.drop_database(self.database)
        for client in self.clients.values():
            client.close()

    def _queue(self, unique):
        sqs = self.clients["sqs"]
        sqs.create_queue(QueueName=f"{unique}-unread")
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique}-unread", "maxReceiveCount": 3}
        return sqs.create_queue(QueueName=unique, Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]

    def _role(self, name, service):
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
        made = self.clients["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        return made["Role"]["Arn"]

    def _image(self, repository):
        self.clients["ecr"].create_repository(repositoryName=repository)
        self.clients["ecr"].put_image(repositoryName=repository, imageManifest=json.dumps(MANIFEST), imageTag="1.2.0")
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:1.2.0"

"""Running the steps of a run in threads: the executor, a step's thread, and how cores are shared among them."""

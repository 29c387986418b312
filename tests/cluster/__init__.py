"""Real clusters on one machine, started and stopped by the tests: `make cluster`. Skipped with a reason elsewhere.

slurm_site  a Slurm of two nodes and four pretend GPUs, all under one folder
ray_site    a Ray of two nodes and four pretend GPUs, likewise
calls       how often Slurm is called
postgres_site  a PostgreSQL server under one folder
working     schedulers as processes, and what they left behind
"""

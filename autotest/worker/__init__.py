"""The lab worker: registers the hosts of one lab, takes only what they can run, and keeps what it took alive.

``lab_config`` reads worker_configs/<lab>.toml, ``credits`` decides which label queues to listen to, ``keeper`` beats
and reconciles, ``lab_worker`` ties them to one Celery worker.
"""

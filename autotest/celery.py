"""The Celery app (``celery -A autotest``): broker settings, the beat table, and the one place that publishes.

A message is a wake-up: it names a row, never the work. Messages go straight into their list (anonymous exchange), so
that a broker that came back empty needs no bindings, and steps of one broker queue hold priority: 0 is served first.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import BatchPublishError, OperationalError
from kombu.utils.uuid import uuid

from autotest import errors, settings
from autotest.settings import Settings

#: The task that does nothing: that it was received is all it says.
POKE = "autotest.poke"
#: Broker queue of the sweep.
UPKEEP_QUEUE = "upkeep"
PRIORITY_STEPS = 9
_SEPARATOR = "\x06\x16"
_BATCH = 1000
_DAY = 24 * 3600


class Wake(Protocol):
    """What publish needs to know of a message (scheduler/wakes.py)."""

    @property
    def queue(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def args(self) -> tuple[int | str, ...]: ...
    @property
    def step(self) -> int: ...
    @property
    def shown(self) -> str: ...
    @property
    def spare(self) -> bool: ...


class Poke(NamedTuple):
    """A message that says nothing: it ends the worker's wait for the queues it knew, so that it sees new ones."""

    queue: str
    task: str = POKE
    args: tuple[int | str, ...] = ()
    step: int = 0
    shown: str = ""
    spare: bool = False


def make_app(config: Settings) -> Celery:
    """The app for one installation."""
    made = Celery("autotest", broker=config.broker, include=["autotest.tasks"])
    made.conf.update(
        task_acks_late=False,
        task_ignore_result=True,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_default_queue=UPKEEP_QUEUE,
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "priority_steps": list(range(PRIORITY_STEPS)),
            "queue_order_strategy": "round_robin",
            "visibility_timeout": 7 * _DAY,
            "health_check_interval": 10,
            "socket_keepalive": True,
        },
        beat_schedule={
            "sweep": {
                "task": "autotest.sweep",
                "schedule": config.sweep_every,
                "options": {"expires": config.sweep_every, "queue": UPKEEP_QUEUE},
            },
        },
        beat_schedule_filename=str(config.root_dir / "beat-schedule"),
        timezone="UTC",
        enable_utc=True,
    )
    return made


app = make_app(settings.load())


def publish(wakes: Iterable[Wake], celery: Celery | None = None) -> None:
    """Send each wake. Raises BrokerUnreachable; the sweep sends what was not sent."""
    waiting = list(wakes)
    if not waiting:
        return
    sender = celery or app
    try:
        with sender.producer_or_acquire() as producer:
            for start in range(0, len(waiting), _BATCH):
                with producer.batch(_BATCH):
                    for wake in waiting[start : start + _BATCH]:
                        _send(sender, producer, wake)
        if any(wake.task == "autotest.claim" for wake in waiting):
            sender.control.broadcast("autotest_refresh")
    except (BatchPublishError, OperationalError, redis.exceptions.RedisError, OSError) as problem:
        address = settings.shown(str(sender.conf.broker_url))
        raise errors.BrokerUnreachable(f"the broker {address} does not answer: {problem}") from problem


def needed(wakes: Iterable[Wake], celery: Celery | None = None) -> list[Wake]:
    """Without the spare ones whose queue holds as many messages as it would get: nobody shall find a heap there.

    Raises BrokerUnreachable.
    """
    every = list(wakes)
    coming = Counter(wake.queue for wake in every if wake.spare)
    waiting = depths(coming, celery) if coming else {}
    return [wake for wake in every if not wake.spare or waiting[wake.queue] < coming[wake.queue]]


def depths(queues: Iterable[str], celery: Celery | None = None) -> dict[str, int]:
    """How many messages wait in each broker queue. Raises BrokerUnreachable."""
    names = list(queues)
    try:
        with _kept_client(str((celery or app).conf.broker_url)).pipeline(transaction=False) as pipe:
            for name in names:
                for step in range(PRIORITY_STEPS):
                    pipe.llen(f"{name}{_SEPARATOR}{step}" if step else name)
            lengths = pipe.execute()
    except redis.exceptions.RedisError as problem:
        raise errors.BrokerUnreachable(f"the broker does not answer: {problem}") from problem
    return {
        name: sum(lengths[index * PRIORITY_STEPS : (index + 1) * PRIORITY_STEPS]) for index, name in enumerate(names)
    }


def broker_client(celery: Celery | None = None) -> redis.Redis:
    """A plain client of the broker; the caller closes it."""
    return _client(str((celery or app).conf.broker_url))


def _client(url: str) -> redis.Redis:
    if url.startswith("redis+socket://"):
        url = url.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5)


#: For what is asked many times a second.
_kept_client = functools.lru_cache(maxsize=4)(_client)


def _send(sender: Celery, producer: object, wake: Wake) -> None:
    task_id = uuid()
    message = sender.amqp.create_task_message(
        task_id,
        wake.task,
        list(wake.args),
        {},
        argsrepr=wake.shown,
        ignore_result=True,
        create_sent_event=wake.task != POKE,
    )
    sender.amqp.send_task_message(
        producer,
        wake.task,
        message,
        queue=Queue(wake.queue, Exchange(""), routing_key=wake.queue),
        declare=[],
        priority=wake.step,
        serializer="json",
        retry=False,
    )

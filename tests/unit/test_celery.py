"""The app's settings, and what publishing does where there is no broker."""

from __future__ import annotations

import socket

import pytest

from autotest import celery, errors
from autotest.scheduler import wakes
from autotest.settings import Settings
from autotest.states import Step


def test_a_task_is_acknowledged_before_it_runs_and_speaks_json_only():
    conf = celery.make_app(Settings()).conf
    assert conf.task_acks_late is False
    assert conf.accept_content == ["json"]
    assert conf.task_ignore_result is True


def test_the_broker_has_nine_priority_steps_and_redelivers_late():
    options = celery.make_app(Settings()).conf.broker_transport_options
    assert options["priority_steps"] == list(range(9))
    assert options["visibility_timeout"] >= 24 * 3600


def test_a_broker_that_is_not_there_is_named_without_its_password():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    app = celery.make_app(Settings(broker=f"redis://:sesame@127.0.0.1:{port}/0"))
    with pytest.raises(errors.BrokerUnreachable) as caught:
        celery.publish([wakes.step_due("desk", 7, Step.VERIFY, "verify of h1")], app)
    assert str(port) in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_with_nothing_to_publish_the_broker_is_not_called():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        celery.publish([], celery.make_app(Settings(broker=f"redis://127.0.0.1:{server.getsockname()[1]}/0")))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_message_goes_into_its_queue_at_its_step(memory_broker):
    wake = wakes.step_due("desk", 7, Step.RUN_TEST, "sleeptest on rack1-h3, job 12")
    celery.publish([wake], memory_broker)
    with memory_broker.connection_for_read() as connection:
        message = connection.SimpleQueue("lab.desk").get(block=False)
        message.ack()
    assert message.headers["task"] == "autotest.run_test"
    assert message.headers["argsrepr"] == "sleeptest on rack1-h3, job 12"
    assert message.payload[0] == [7]
    assert message.properties["priority"] == 0

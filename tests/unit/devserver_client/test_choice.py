"""Choice: the same server for the same build everywhere, and little moves when servers come and go."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import hypothesis
from hypothesis import strategies

from autotest.devserver_client import choice

SERVERS = [f"http://ds{number}:8082" for number in range(5)]
URLS = strategies.lists(strategies.sampled_from([f"http://s{n}" for n in range(20)]), min_size=1, unique=True)


def test_another_process_chooses_alike():
    code = f"from autotest.devserver_client import choice; print(choice.ranked('pi4/R8-1.0', {SERVERS!r}))"
    runs = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        for seed in ("1", "2")
    ]

    assert {run.stdout.decode().strip() for run in runs} == {str(choice.ranked("pi4/R8-1.0", SERVERS))}


@hypothesis.given(strategies.text(), URLS, strategies.randoms())
def test_the_order_of_the_configuration_does_not_matter(build, servers, random):
    shuffled = list(servers)
    random.shuffle(shuffled)

    assert choice.ranked(build, shuffled) == choice.ranked(build, servers)
    assert sorted(choice.ranked(build, servers)) == sorted(servers)


@hypothesis.given(strategies.text(), URLS)
def test_a_server_that_goes_leaves_the_others_in_their_order(build, servers):
    before = choice.ranked(build, servers)

    for gone in servers:
        assert choice.ranked(build, [one for one in servers if one != gone]) == [one for one in before if one != gone]


def test_every_server_gets_its_share():
    first = Counter(choice.ranked(f"pi4-release/R8-{number}.0", SERVERS)[0] for number in range(2000))

    assert set(first) == set(SERVERS)
    assert min(first.values()) > 300

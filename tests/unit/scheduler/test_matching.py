"""Which host an entry gets is decided without clock or database."""

from __future__ import annotations

from autotest.scheduler import labels, matching
from autotest.scheduler.matching import Candidate

PLAIN = Candidate(1, "h1", frozenset({"x"}))
RICH = Candidate(2, "h2", frozenset({"x", "modem"}))
BUILT = Candidate(3, "h3", frozenset({"x", "modem", "version:R7"}))
MODEM = labels.queue_of(["modem"])


def test_nobody_fits_where_nobody_is_free():
    assert matching.choose([], frozenset(), []) is None


def test_the_host_that_fewest_waiting_queues_could_use_is_taken():
    assert matching.choose([RICH, PLAIN], frozenset(), [MODEM]) == PLAIN


def test_a_host_with_the_wanted_version_comes_before_a_spare_one():
    assert matching.choose([PLAIN, RICH, BUILT], frozenset({"version:R7"}), [MODEM]) == BUILT


def test_with_equal_rights_the_natural_order_of_names_decides():
    names = [Candidate(number, f"rack{number}", frozenset()) for number in (10, 9, 100)]

    assert matching.choose(names, frozenset(), []).hostname == "rack9"


def test_a_queue_is_servable_when_one_free_host_fits():
    wanted = labels.queue_of(["gps"])

    assert matching.servable([PLAIN, RICH], [MODEM, wanted]) == {MODEM.key}
    assert matching.servable([], [MODEM]) == set()


def test_taking_a_host_leaves_the_others():
    free = [RICH, PLAIN]

    assert matching.take(free, labels.queue_of(["x"]), [MODEM]) == [PLAIN]
    assert free == [RICH]
    assert matching.take(free, labels.queue_of(["gps"]), [MODEM]) == []
    assert free == [RICH]

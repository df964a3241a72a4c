"""Host keyvals: what a scheduler writes of a host is what the parser reads."""

from __future__ import annotations

from autotest.client import host_keyval
from autotest.results import parser


def test_platform_and_labels_become_attributes_of_every_test(folder):
    content = host_keyval.render("eve", ["pool:bvt", "model:nova"])
    result = parser.read(folder("GOOD|t|t|timestamp=1|", {"host_keyvals/h1": content}))
    assert result.job.machine_group == "nova"
    assert result.tests[1].attributes == {"host-platform": "eve", "host-labels": "model%3Anova,pool%3Abvt"}


def test_a_damaged_host_info_store_is_told_and_the_keyval_of_the_group_is_read(files):
    root = files(
        {
            ".autoserv_execute": "1\n0\n0\n",
            "host_keyvals/h1": "platform=eve\n",
            "h1/keyval": "status_version=1\nhostname=h1\n",
            "h1/host_info_store/h1.store": "{",
            "h1/status.log": "",
        }
    )
    result = parser.read(root / "h1")
    assert result.job.machine_group == "eve"
    assert result.oddities == ("the host info store of 'h1' is no JSON object with labels; not used",)

"""A knowledge base whose ledger has everything that people look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from judged_knowledge_base import TOPICS, JudgedKnowledgeBase

from liftgate.errors import BrakeApplied
from liftgate.releases.promotion import override, promote
from liftgate.releases.rollback import resume, roll_back
from liftgate.runtime import Runtime

SCRIPT = "<script>document.title = 'broken into'</script>"
"""Whatever somebody writes is shown as they wrote it."""


def told_ledger(runtime: Runtime, folder: Path) -> JudgedKnowledgeBase:
    """Releases by number: 1 and 2 promoted, 3 rejected, 4 held and superseded, 5 inconclusive and promoted by a person,
    6 promoted and rolled back; 2 is live. A document is in quarantine, and the newest run was stopped by a brake."""
    kb = JudgedKnowledgeBase(runtime, folder)
    kb.write("desk-1.md", kb.text(1, "Ring twice."))
    assert kb.whole_run() == (2, "promote")
    kb.retrieve_by(min_score=0.99)
    assert kb.whole_run() == (3, "reject")
    _held(kb)
    _overridden(kb)
    kb.retrieve_by()
    kb.write("torn.pdf", b"%PDF-1.4 torn")
    assert kb.whole_run() == (6, "promote")
    roll_back(kb.runtime, kb.name, 2, kind="operational", why="readers miss a desk", by="ada", run_id="back")
    _stopped(kb)
    return kb


def _held(kb: JudgedKnowledgeBase) -> None:
    kb.hold(why=f"the quarter ends {SCRIPT}")
    kb.retrieve_by()
    kb.write("desk-2.md", kb.text(2, "Knock first."))
    assert kb.whole_run() == (4, "hold")
    resume(kb.runtime, kb.name, by="ada", run_id="resumed", why="the quarter has ended")


def _overridden(kb: JudgedKnowledgeBase) -> None:
    """Two questions are refused that were answered: too few to tell."""
    kb.retrieve_by(min_score=0.705)
    assert kb.whole_run() == (5, "hold")
    override(kb.runtime, kb.name, 5, by="ada", run_id="overridden", why="it costs us nothing")
    promote(kb.runtime, kb.name, 5, by="ada", run_id="overridden", why="it costs us nothing")


def _stopped(kb: JudgedKnowledgeBase) -> None:
    """More documents are gone than a run may remove. They are back for the next one."""
    kb.write_settings(brakes={"max_removed_share": 0.05})
    gone = {
        f"desk-{number}.md": (kb.documents / f"desk-{number}.md").read_bytes() for number in range(TOPICS - 4, TOPICS)
    }
    for name in gone:
        kb.write(name, None)
    with pytest.raises(BrakeApplied):
        kb.index()
    for name, content in gone.items():
        kb.write(name, content)

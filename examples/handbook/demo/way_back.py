"""The end of the story: back in one step that stays back, and forward again."""

from __future__ import annotations

from demo.stage import Stage

KB = "kb_handbook"
ROLL_BACK = "roll_back_handbook"
RESUME = "resume_handbook"


def way_back(stage: Stage) -> None:
    """f. A rollback moves a pointer. What is built afterwards waits, until somebody resumes."""
    with stage.playing("f", "The way back, and forward again"):
        _go_back(stage)
        _next_run_is_held(stage)
        _forward(stage)
        stage.show.say("The next run builds on what is live now.")
        ran = stage.trigger(KB)
        stage.expect("the run ended", "success", ran.state)
        stage.expect("release 5 is", "superseded", stage.ledger.outcome(5))
        stage.expect("live release: the changed document with the adapter", 6, stage.ledger.live())


def _go_back(stage: Stage) -> None:
    ran = stage.trigger(ROLL_BACK, to_release=2, kind="operational", why="the demo shows the way back")
    stage.expect("the run ended", "success", ran.state)
    stage.expect("live release", 2, stage.ledger.live())
    seconds = sum(task.seconds for task in ran.tasks)
    stage.show.say(f"  From trigger to done {ran.run.seconds:.1f} s; the step itself took {seconds:.1f} s.")


def _next_run_is_held(stage: Stage) -> None:
    changed = stage.workspace.change("third")[0]["uri"]
    stage.show.say(f"{changed} is edited, and the next run comes. It must not undo the rollback.")
    ran = stage.trigger(KB)
    stage.expect("the run ended", "success", ran.state)
    stage.expect("release 5 is", "held", stage.ledger.outcome(5))
    stage.expect("live release", 2, stage.ledger.live())


def _forward(stage: Stage) -> None:
    ran = stage.trigger(RESUME, why="the demo goes on")
    stage.expect("the run ended", "success", ran.state)
    stage.liftgate("releases", "promote", "handbook", "4", "--why", "the drill is over")
    stage.expect("live release", 4, stage.ledger.live())

"""A run in progress, as a person at a terminal follows it: where training meets the reports."""

from lossrun.lint import Examined
from lossrun.records import ledger
from lossrun.report import training as report
from lossrun.report.console import note, stderr, stdout, warning
from lossrun.report.facts import facts, layers
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.session import Session
from lossrun.training.stopping import listening


def train_on_screen(session: Session, examined: Examined, *, quiet: bool) -> None:
    """Train to the end, showing what will be done, a row per epoch, a progress bar, and the result.

    `quiet`: nothing but the run directory, at the end.
    """
    config, run, err, out = examined.config, session.run.path, stderr(), stdout()
    if not quiet:
        machine = {"device": session.where, "run": str(run)}
        report.banner(err, {**facts(config, examined.facts, examined.notes), **machine}, layers(config, examined.facts))
        for text in examined.reading.notes:
            note(err, text)
        for text in examined.warnings:
            warning(err, text)
    table = report.EpochTable(
        out,
        task=examined.facts.task,
        epochs=config.epochs,
        seeds=len(config.seeds),
        constant_rate=config.schedule.name == "constant" and not config.schedule["warmup_epochs"],
    )
    # One console for rows and bar where both go to one screen, or they would overwrite each other.
    screen = out if out.is_terminal else err
    with listening() as asked, report.progress_bar(screen, config.epochs, hidden=quiet) as show_progress:
        for event in train(session, asked):
            if quiet:
                continue
            if isinstance(event, EpochRecord):
                table.add(event.epoch, event.rows, event.best_seeds)
            else:
                show_progress(event.epoch, event.step_in_epoch, event.steps_per_epoch)
    if quiet:
        print(run)
        return
    finished = ledger.read(session.run.ledger_path)[-1]
    best = {"metric": config.best.metric, "mode": config.best.mode}
    report.ending(
        err, finished, best, [f"lossrun show {run.name}", f"lossrun resume {run.name} --set epochs={2 * config.epochs}"]
    )

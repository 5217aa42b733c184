"""Plot what a sweep has found."""

from pathlib import Path

from lossrun.shell import run_command


def plot_sweep(path: Path, output: Path | None) -> None:
    """Plot a sweep's tuning scores against the tuned value, and a map of its pairs, on the terminal or into a file.

    Raises UsageError for a sweep without such a curve, and for a file where there are several datasets.
    """
    from lossrun.analysis.sweeps.result import result_of
    from lossrun.analysis.sweeps.sensitivity import heat_map, sensitivity
    from lossrun.errors import UsageError
    from lossrun.records.sweep_directory import SweepDirectory
    from lossrun.report.layout.console import note, stderr, stdout

    parts = result_of(SweepDirectory(path)).tunings
    curves = [(found, tuning) for tuning in parts if (found := sensitivity(tuning))]
    if not curves:
        raise UsageError(
            f"{path.name} has no curve to plot: that needs one tuned key with at least three numbers, each trained for "
            f"as many epochs, and a run that ended; `{run_command('compare', path)}` shows what it has found"
        )
    if output is None:
        from lossrun.report.sweep import print_tuning_plots

        print_tuning_plots(stdout(), parts)
        return
    if len(curves) > 1:
        raise UsageError(
            f"{path.name} has {len(curves)} datasets, whose scores share no figure; leave out --output, or "
            f"`{run_command('compare', path)} --html FILE` writes them all"
        )
    from lossrun.report.plots.sensitivity_figure import save_sensitivity

    ((found, tuning),) = curves
    save_sensitivity(found, output, heat_map(tuning))
    note(stderr(), f"{output} written")

"""The entry point, `lossrun` and `python -m lossrun`: signals are handled before anything else is imported."""

from lossrun import interrupts


def main() -> None:
    """Run the command line."""
    interrupts.take_over()
    try:
        with interrupts.held():
            from lossrun.cli import main as command_line
        command_line()
    except interrupts.EndedError as ended:  # in the middle of the command's own last words
        raise SystemExit(ended.exit_code) from None
    finally:
        interrupts.leaving()


if __name__ == "__main__":
    main()

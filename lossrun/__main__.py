"""The entry point, `lossrun` and `python -m lossrun`: signals are handled before anything else is imported."""

from lossrun import interrupts


def main() -> None:
    """Run the command line."""
    try:
        try:
            interrupts.take_over()
            with interrupts.held():
                from lossrun.cli import main as command_line
            command_line()
        finally:
            interrupts.leaving()
    except interrupts.EndedError as ended:  # before the command has begun, or in the middle of its own last words
        raise SystemExit(ended.exit_code) from None


if __name__ == "__main__":
    main()

"""`python -m facesketch`, and what `torchrun -m facesketch` starts."""

from facesketch.cli.main import main

if __name__ == "__main__":
    main()

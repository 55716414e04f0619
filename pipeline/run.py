"""Entry point of ``python pipeline/run.py`` and of ``ray job submit``."""

if __name__ == "__main__":
    import sys
    from pathlib import Path

    # Python puts this file's folder first; the repository root belongs there.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from pipeline.cli.main import main

    sys.argv.insert(1, "run")
    main()

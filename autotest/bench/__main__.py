"""``python -m autotest.bench`` is ``scripts/bench``."""

from autotest.bench.command import bench

if __name__ == "__main__":
    bench(prog_name="bench")

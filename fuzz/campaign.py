"""Runs the fuzz targets and says what was done.

    python fuzz/campaign.py run --build build/fuzz --minutes 60   # what make fuzz does
    python fuzz/campaign.py report                                # the sum of all runs so far
    python fuzz/campaign.py minimise                              # into fuzz/corpus

The working inputs are in build/fuzz-corpus, what was found in build/fuzz-findings.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "build/fuzz-corpus"
FINDINGS = ROOT / "build/fuzz-findings"
STATS = ROOT / "build/fuzz-stats.jsonl"
COMMITTED = ROOT / "fuzz/corpus"
MOST_BYTES = 16384
# An input that needs more of either is a finding.
RSS_MIB = 1536
TIMEOUT_S = 10
# Shares of the time: by how much code there is behind the target.
SHARES = {
    "array": 5,
    "edit": 3,
    "frame": 3,
    "chunk": 4,
    "metadata": 3,
    "pickle": 3,
    "msgpack": 1,
    "b2nd": 1,
    "literal": 1,
    "lz4": 2,
    "layout": 1,
    "value": 1,
    "checksums": 1,
    "records": 2,
    "runs": 1,
    "salvage": 4,
    "splice": 2,
}


def run_target(build: Path, target: str, seconds: int) -> dict[str, object]:
    """Fuzz one target for a time, restarted after each finding; return what was counted."""
    (FINDINGS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    total = {"target": target, "executions": 0, "edges": 0, "cpu_s": 0.0, "findings": 0}
    end = time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0:
        log = FINDINGS / f"{target}.log"
        command = [str(build / f"fuzz/fuzz_{target}"), str(CORPUS / target)]
        if (COMMITTED / target).is_dir():
            command.append(str(COMMITTED / target))
        command += [f"-max_total_time={left}", f"-max_len={MOST_BYTES}"]
        command += [f"-rss_limit_mb={RSS_MIB}", f"-timeout={TIMEOUT_S}", "-use_value_profile=1"]
        command += ["-print_final_stats=1", f"-artifact_prefix={FINDINGS / target}/"]
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=_be_nice)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        text = log.read_bytes()[-200_000:].decode(errors="replace")
        units = re.findall(r"stat::number_of_executed_units: *(\d+)", text)
        edges = re.findall(r" cov: (\d+)", text)
        total["executions"] += int(units[-1]) if units else 0
        total["edges"] = max(total["edges"], int(edges[-1]) if edges else 0)
        total["cpu_s"] += usage.ru_utime + usage.ru_stime
        if process.returncode != 0 and is_finding(build, target):
            total["findings"] += 1
            if left == int(end - time.monotonic()):
                raise SystemExit(f"fuzz_{target} does not start: {log}")
    with STATS.open("a") as out:
        out.write(json.dumps(total) + "\n")
    print(json.dumps(total), flush=True)
    return total


def is_finding(build: Path, target: str) -> bool:
    """Whether the newest artifact fails again: a timeout may be that of a busy machine."""
    files = sorted((FINDINGS / target).iterdir(), key=lambda file: file.stat().st_mtime)
    if not files or not files[-1].name.startswith(("timeout-", "slow-unit-")):
        return True
    command = [str(build / f"fuzz/fuzz_{target}"), f"-timeout={TIMEOUT_S}", str(files[-1])]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return True
    files[-1].unlink()
    return False


def _be_nice() -> None:
    os.nice(19)


def run(build: Path, minutes: float, jobs: int, only: list[str]) -> int:
    """Fuzz all targets, ``jobs`` at a time; ``minutes`` of wall time in all."""
    shares = {name: share for name, share in SHARES.items() if not only or name in only}
    seconds = minutes * 60 * jobs / sum(shares.values())
    with ThreadPoolExecutor(jobs) as pool:
        runs = [
            pool.submit(run_target, build, name, max(int(seconds * share), 2))
            for name, share in shares.items()
        ]
        findings = sum(int(str(done.result()["findings"])) for done in runs)
    report()
    if findings:
        print(f"{findings} findings: the inputs are in {FINDINGS}, see fuzz/README.md")
    return 1 if findings else 0


def report() -> None:
    """Print the sum of all runs as the table of fuzz/README.md."""
    sums: dict[str, list[float]] = {name: [0, 0, 0] for name in SHARES}
    for line in STATS.read_text().splitlines():
        done = json.loads(line)
        entry = sums[done["target"]]
        entry[0] += done["executions"]
        entry[1] = max(entry[1], done["edges"])
        entry[2] += done["cpu_s"]
    print("| target | executions | edges | CPU s |\n|---|---|---|---|")
    for name, (executions, edges, cpu) in sorted(sums.items()):
        print(f"| {name} | {executions:,} | {edges:,} | {cpu:,.0f} |")
    print(
        f"| all | {sum(e for e, _, _ in sums.values()):,} | | "
        f"{sum(c for _, _, c in sums.values()):,.0f} |"
    )


def minimise(build: Path, most_bytes: int) -> None:
    """Put a small set of inputs that reach every edge into fuzz/corpus."""
    for target in SHARES:
        merged = ROOT / "build/fuzz-merged" / target
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir(parents=True)
        command = [str(build / f"fuzz/fuzz_{target}"), "-set_cover_merge=1"]
        # Edges only: how often each is taken would keep three times as many.
        command += ["-use_counters=0", f"-max_len={most_bytes}"]
        command += [f"-rss_limit_mb={RSS_MIB}", f"-timeout={TIMEOUT_S}", str(merged)]
        command += [str(CORPUS / target)]
        if (COMMITTED / target).is_dir():
            command.append(str(COMMITTED / target))
        subprocess.run(command, check=True, capture_output=True)
        # Regressions stay, whatever they reach now.
        for old in (COMMITTED / target).glob("*"):
            if not old.name.startswith("regression-"):
                old.unlink()
        (COMMITTED / target).mkdir(parents=True, exist_ok=True)
        for file in merged.iterdir():
            shutil.copyfile(file, COMMITTED / target / file.name)
        sizes = [file.stat().st_size for file in (COMMITTED / target).iterdir()]
        print(f"{target}: {len(sizes)} inputs, {sum(sizes)} bytes", flush=True)


def main() -> int:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["run", "report", "minimise"])
    parser.add_argument("targets", nargs="*", help="only these; default: all")
    parser.add_argument("--build", type=Path, default=ROOT / "build/fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--most-bytes", type=int, default=4096, help="of a committed input")
    options = parser.parse_intermixed_args()
    if options.command == "run":
        return run(options.build, options.minutes, options.jobs, options.targets)
    if options.command == "report":
        report()
    else:
        minimise(options.build, options.most_bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())

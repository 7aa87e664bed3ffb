"""The benchmark harness, by role: volumes, adapters, driver, tasks, targets, report, plots."""

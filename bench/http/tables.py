"""Prints what was measured."""
import statistics
import sys


def error_text(sample):
    found = [f"{count} {kind}" for kind, count in sample["errors"].items() if count]
    place = f"{sample['server']}, {sample['scenario']}, round {sample['round']}"
    return f"{place}: {', '.join(found)} in {sample['requests']} requests" if found else None


def _median_text(samples, key, how):
    figures = [sample[key] for sample in samples if sample[key] is not None]
    return format(statistics.median(figures), how) if figures else "-"


def _ratio_text(samples, base, key, with_range=False):
    """This server's figure over the base's, round by round: drift hits both and cancels."""
    base_of = {sample["round"]: sample[key] for sample in base}
    found = [s[key] / base_of[s["round"]] for s in samples if s[key] and base_of.get(s["round"])]
    if not found:
        return "-"
    text = f"{statistics.median(found):.2f}"
    return text + (f" ({min(found):.2f}-{max(found):.2f})" if with_range else "")


def print_table(scenario, names, samples):
    def of(name):
        return [s for s in samples if (s["scenario"], s["server"]) == (scenario.name, name)]

    over = f"/{scenario.base}"
    rows = [("", "requests/s", over, "p50 us", "p99 us", over, "CPU us/request", "user", "kernel",
             f"{over} (range)", "core", "bytes")]
    for name in names:
        own, base = of(name), of(scenario.base)
        if not own:
            continue
        rows.append((name, _median_text(own, "requests_per_second", ",.0f"),
                     _ratio_text(own, base, "requests_per_second"),
                     _median_text(own, "p50_us", ",.0f"), _median_text(own, "p99_us", ",.0f"),
                     _ratio_text(own, base, "p99_us"), _median_text(own, "cpu_us", ".2f"),
                     _median_text(own, "user_us", ".2f"), _median_text(own, "kernel_us", ".2f"),
                     _ratio_text(own, base, "cpu_us", with_range=True),
                     _median_text(own, "core_share", ".0%"), _median_text(own, "reply_bytes", ".0f")))
    widths = [max(map(len, column)) for column in zip(*rows)]
    print(f"\n{scenario.name}: {scenario.title}")
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    sys.stdout.flush()

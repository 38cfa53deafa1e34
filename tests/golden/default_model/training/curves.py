"""Draws the curves of pretraining: `python curves.py LOG.json... CURVES.svg`. The logs of pretrain.py are concatenated."""
import json
import sys

*logs, out = sys.argv[1:]
points, base = [], 0
for path in logs:
    rows = json.load(open(path))
    points += [dict(row, tokens=base + row["tokens"]) for row in rows]
    base += rows[-1]["tokens"]
W, H, parts = 360, 240, []
for i, (key, title) in enumerate([("mlm", "masked LM"), ("sop", "sentence order"), ("dis", "sentence vectors")]):
    size = max(1, len(points) // 90)
    mean = [(sum(p["tokens"] for p in points[j:j + size]) / size, sum(p[key] for p in points[j:j + size]) / size)
            for j in range(0, len(points) - size + 1, size)]
    low, high = min(v for _, v in mean), sorted(v for _, v in mean)[-2]
    x0, y0, w, h = i * W + 50, 30, W - 65, H - 70
    at = lambda t, v: f"{x0 + w * t / base:.0f},{y0 + h * (1 - (min(v, high) - low) / (high - low)):.0f}"
    parts.append(f'<rect x="{x0}" y="{y0}" width="{w}" height="{h}" fill="none" stroke="#bbb"/>'
                 f'<text x="{x0}" y="{y0 - 10}">{title}, loss</text>'
                 f'<text x="{x0 - 5}" y="{y0 + 8}" text-anchor="end">{high:.2f}</text><text x="{x0 - 5}" y="{y0 + h}" text-anchor="end">{low:.2f}</text>'
                 f'<text x="{x0 + w}" y="{y0 + h + 18}" text-anchor="end">{base / 1e6:.0f} million tokens</text>'
                 f'<polyline fill="none" stroke="#0b6fa4" stroke-width="1.5" points="{" ".join(at(t, v) for t, v in mean)}"/>')
open(out, "w").write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {3 * W} {H}" font-family="sans-serif" font-size="12" fill="#444">'
                     f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')

"""Prints what routing saved, and what of it is proven, with the standard library alone.

    BUSU_URL=http://127.0.0.1:8000 python3 report.py [7d|30d|90d]
"""
import json
import os
import sys
import urllib.request

busu = os.environ.get("BUSU_URL", "http://127.0.0.1:8000")
window = sys.argv[1] if len(sys.argv) > 1 else "30d"


def get(path):
    request = urllib.request.Request(busu + path, headers={"Authorization": "Bearer " + os.environ.get("BUSU_KEY", "unused")})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def interval(of, unit, scale=1):
    if of["low"] is None:
        return "not known yet"
    value = of["value"] if "value" in of else of["difference"]
    return f"{scale * value:.1f} ({scale * of['low']:.1f} to {scale * of['high']:.1f}) {unit}"


s = get(f"/metrics/savings?window={window}")
m, p, g = s["modelled"], s["proven"], s["good"]
print(s["verdict"])
print()
print(f"requests routed   {m['requests']:>12,}   without a price: {m['unpriced_requests']:,}")
print(f"paid              {m['cost_usd']:>12,.4f} USD")
print(f"on {s['baseline_model']:<14} {m['baseline_cost_usd']:>12,.4f} USD, by the price table")
print(f"proven            {p['state']}: {interval(p['savings_pct'], '% of the charge')}")
print(f"good answers      {g['state']}: {interval(g, 'points', 100)}, margin {100 * g['margin']:g}")
print(f"compared          {p['routed_users']:,} users with {p['holdout_users']:,} of the hold-out")
print(f"guard             {s['guard']['state']}")
print()
print("by model           requests          USD")
for row in get(f"/usage?by=model&from={s['from'][:10]}")["rows"]:
    print(f"{row['model'] or '(no answer)':<18} {row['requests']:>8,} {row['cost_usd']:>12.4f}")

#!/usr/bin/env python3
"""Print a results file as "package: licences" lines."""

import json
import sys

for line in open(sys.argv[1]):
    result = json.loads(line)
    if result["status"] == "finished":
        print(f"{result['custom_id']}: {result['response']['output_text']}")
    else:
        print(f"{result['custom_id']}: {result['status']}: "
              f"{result['error']['message']}", file=sys.stderr)

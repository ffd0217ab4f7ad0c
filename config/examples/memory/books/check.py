"""check.py MONTH AMOUNT: does this amount agree with what the bank says?"""

import hashlib
import sys

# What the bank says, so that nobody can read it off.
BANK = {
    "march": "9235fad5f7a960e56d62ff64380ff6e2dadb186394481633291c6b6116bbbe9d",
    "april": "b818cab5b9ab06ee904a2b4dbceb9809a65958585a768a9af19dfc415ca54d37",
    "may": "b284e985f79d5def1974451507dc46532d1fdf0205741b6fb3d8ae9baf361d4a",
}

month, amount = sys.argv[1:]
told = hashlib.sha256(f"{month} {float(amount):.2f}".encode()).hexdigest()
if told == BANK[month]:
    print("agrees")
else:
    print("does not agree: amounts stand in cents, and the last line of a "
          "month is not a payment")
    sys.exit(1)

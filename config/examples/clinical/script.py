#!/usr/bin/env python3
"""Print the scripted model of this example, for `skep mock`.

The script plays a model that looks at the record, writes a splitting program,
runs it, checks the result as its skill says, and only then writes the output.
Each step depends on what the step before printed.  The model knows nothing of
the record but what its commands read inside the sandbox.
"""

import json

LOOK = r"""
wc -lc record.txt
head -n 20 record.txt
echo '--- lines that could be headings'
grep -nE 'ENCOUNTER|^Date of service:|^Dear |^ENC|dictated by' record.txt |
    head -n 40
"""

SPLIT = r"""
cat > split.py <<'END'
import json, re

MONTHS = ("January February March April May June July August September "
          "October November December").split()
KINDS = {"OUT": "outpatient", "EME": "emergency", "INP": "inpatient",
         "TEL": "telephone", "SUR": "surgery"}
lines = open("record.txt").read().split("\n")[:-1]
found = []

def start(line, year, month, day, kind, doctor):
    found.append({"first_line": line, "type": kind, "date":
                  "%04d-%02d-%02d" % (int(year), int(month), int(day)),
                  "doctor": doctor})

for i, text in enumerate(lines):
    if m := re.match(r"[=*#]{4,9} ENCOUNTER (\d+)-(\d+)-(\d+) -- (\w+)", text):
        start(i + 1, m[1], m[2], m[3], m[4].lower(),
              re.match(r"Attending: Dr\. (.*)", lines[i + 1])[1])
    elif m := re.match(r"Date of service: (\d+) (\w+) (\d+)", text):
        start(i + 1, m[3], MONTHS.index(m[2]) + 1, m[1],
              lines[i + 1].split()[2].lower(),
              re.match(r"Clinician: +Dr\. (.*)", lines[i + 2])[1])
    elif text == "Dear colleague,":
        m = re.search(r"seen on (\d+)/(\d+)/(\d+) \((\w+)\)", lines[i + 1])
        end = lines.index("With kind regards,", i)
        start(i + 1, m[3], m[2], m[1], m[4],
              lines[end + 1].removeprefix("Dr. "))
    elif m := re.match(r"ENC\|(\d{4})(\d\d)(\d\d)\|(\w+)\|Dr\. ([^|]*)", text):
        start(i + 1, m[1], m[2], m[3], KINDS[m[4]], m[5])
    elif m := re.match(r"\[dictated by Dr\. (.*) on (\d+)\.(\d+)\.(\d+); (\w+)",
                       text):
        start(i + 1, m[4], m[3], m[2], m[5], m[1])

for this, following in zip(found, found[1:] + [None]):
    this["last_line"] = following["first_line"] - 1 if following else len(lines)
json.dump({"encounters": found}, open("draft.json", "w"), indent=1)
print("split into", len(found), "encounters")
END
python3 split.py
"""

CHECK = """
sh .agents/checking-a-split/scripts/check.sh record.txt draft.json
"""

WRITE = r"""
mv draft.json output/encounters.json && rm split.py &&
echo "written: $(grep -c '"date"' output/encounters.json) encounters"
"""


def call(turn, last_output, say, command):
    when = {"turn": turn}
    if last_output:
        when["last_output"] = last_output
    return {"when": when,
            "reply": [{"text": say},
                      {"tool": "exec_command", "arguments": {
                          "cmd": command.strip() + "\n",
                          "yield_time_ms": 30000}}],
            "usage": {"input_tokens": 900 + 1400 * turn, "output_tokens": 350,
                      "cached_tokens": 1400 * turn}}


RULES = [
    call(0, None, "I look at the record first.", LOOK),
    call(1, "*lines that could be headings*",
         "Several layouts; I write a program that knows each.", SPLIT),
    call(2, "*split into * encounters*",
         "I check it as $checking-a-split says.", CHECK),
    call(3, "*check: ok*", "That holds.  I write the result.", WRITE),
    {"when": {"turn": 4, "last_output": "*written: *"},
     "set": {"n": {"from": "last_output", "match": "written: ([0-9]+)"}},
     "reply": [{"text": '{"encounters": ${n}, "file": '
                        '"output/encounters.json", "checked": true}'}],
     "usage": {"input_tokens": 6500, "output_tokens": 30,
               "cached_tokens": 5600}},
    {"when": {},
     "reply": [{"text": '{"encounters": 0, "file": "", "checked": false}'}]},
]

if __name__ == "__main__":
    print(json.dumps({"models": ["scripted"], "rules": RULES}, indent=1))

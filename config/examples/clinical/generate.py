#!/usr/bin/env python3
"""Write synthetic clinical records and, apart from them, the truth.

    generate.py FOLDER [--records N] [--seed S]

FOLDER/records/ID.txt   what an agent sees: a long record, several encounters
FOLDER/tasks.jsonl      one task a record
FOLDER/truth.jsonl      what the agent should find; never given to it

A record is a bundle of papers from several clinics, each with a layout of its
own.  Papers quote each other's dates, carry page breaks with a running head,
and list appointments that never took place, so that looking for dates alone
finds too much.  Everything is invented; the same seed gives the same bytes.
"""

import argparse
import datetime
import json
import pathlib
import random
import textwrap

FAMILY = """Aldous Bremer Castell Dunmore Eklund Farrow Gantry Holloway Iversen
Jessop Kestrel Lindqvist Marlowe Novak Okafor Pemberton Quill Rasmussen
Sandoval Thackeray Ueda Vance Whitlock Xanthos Yarrow Zeller""".split()
GIVEN = """Ada Boris Clara Dmitri Edith Felix Greta Hugo Ines Jonas Kira Leo
Mira Nils Olga Pavel Quentin Rosa Stefan Thea Ulla Viktor Wanda Yusuf
Zora""".split()
TYPES = ["outpatient", "emergency", "inpatient", "telephone", "surgery"]
WARDS = ["Cardiology", "General Medicine", "Nephrology", "Orthopaedics",
         "Respiratory Medicine", "Endocrinology", "Neurology"]
COMPLAINTS = """chest tightness on climbing stairs|a swollen left ankle|cough
with yellow sputum|dizziness after standing up|a fall in the garden|pain in
the right flank|palpitations at night|worsening breathlessness|blurred vision
in the left eye|numb fingers in the morning|loss of appetite|a rash on both
forearms""".replace("\n", " ").split("|")
DRUGS = """amlodipine 5 mg|metformin 850 mg|ramipril 2.5 mg|bisoprolol 1.25
mg|atorvastatin 20 mg|pantoprazole 40 mg|furosemide 20 mg|levothyroxine 75
mcg""".replace("\n", " ").split("|")
SENTENCES = """The patient is alert and oriented and in no acute distress.
Blood pressure was measured twice while seated.
Lungs are clear on auscultation, without wheeze or crackles.
Heart sounds are regular and there is no murmur.
The abdomen is soft and not tender, bowel sounds are present.
There is no pitting oedema and both pulses are felt at the ankle.
Laboratory values are listed below and were discussed with the patient.
The family history adds nothing new.
Smoking was given up some years ago; alcohol is taken rarely.
An ECG shows sinus rhythm without changes of the ST segment.
The wound is dry and clean and the dressing was renewed.
The patient understands the plan and agrees with it.
Diet, exercise and the measuring of weight at home were talked about.
A chest film shows no infiltrate and a normal heart size.
Physiotherapy is continued twice a week for the time being.
The patient was told to come back at once if the complaint gets worse.
Renal function is stable compared with earlier values.
No new allergy is known.""".split("\n")
MONTHS = ["January", "February", "March", "April", "May", "June", "July",
          "August", "September", "October", "November", "December"]


def name(r):
    return f"{r.choice(GIVEN)[0]}. {r.choice(FAMILY)}"


def long_date(d):
    return f"{d.day} {MONTHS[d.month - 1]} {d.year}"


def quoted_past(r, d):
    """A sentence with a date that is not this encounter's."""
    past = d - datetime.timedelta(days=r.randint(20, 900))
    return r.choice([
        f"Compare the visit of {past:%d/%m/%Y} for details.",
        f"The encounter of {past.isoformat()} was reviewed.",
        f"Last seen on {long_date(past)} by {name(r)}.",
        f"Imaging from {past:%d.%m.%Y} was available.",
    ])


def prose(r, d, sentences):
    chosen = [r.choice(SENTENCES) for _ in range(sentences)]
    for _ in range(sentences // 5):
        chosen.insert(r.randrange(len(chosen) + 1), quoted_past(r, d))
    lines = []
    while chosen:
        cut = r.randint(3, 6)
        lines += textwrap.wrap(" ".join(chosen[:cut]), 76) + [""]
        chosen = chosen[cut:]
    return lines


def laboratory(r):
    rows = [("Sodium", 135, 146, "mmol/l"), ("Potassium", 35, 51, "0.1 mmol/l"),
            ("Creatinine", 60, 130, "umol/l"), ("CRP", 1, 90, "mg/l"),
            ("Haemoglobin", 110, 165, "g/l"), ("Leukocytes", 40, 130, "0.1/nl")]
    r.shuffle(rows)
    return ["    Laboratory"] + [
        f"    {n:<14}{r.randint(low, high):>5}  {unit}"
        for n, low, high, unit in rows[:r.randint(3, 6)]] + [""]


def quoted_paper(r, d):
    """Headings of another paper, quoted: they start no encounter."""
    past = d - datetime.timedelta(days=r.randint(20, 900))
    return ["    From the file sent along:"] + ["    > " + line for line in (
        "Dear colleague,", f"seen on {past:%d/%m/%Y} (emergency).",
        f"Date of service: {long_date(past)}",
        f"== ENCOUNTER {past.isoformat()} -- INPATIENT ==")] + [""]


def body(r, d):
    lines = ["Complaint: " + r.choice(COMPLAINTS) + ".", ""]
    lines += prose(r, d, r.randint(8, 24))
    if r.random() < 0.6:
        lines += laboratory(r)
    if r.random() < 0.2:
        lines += quoted_paper(r, d)
    if r.random() < 0.5:
        # Appointments to come: dates and kinds, but nothing that happened.
        soon = d + datetime.timedelta(days=r.randint(5, 60))
        lines += ["Appointments made:",
                  f"  * {soon:%Y-%m-%d} {r.choice(WARDS)}, outpatient visit",
                  f"  * {long_date(soon)} telephone call", ""]
    lines += ["Medication: " + ", ".join(r.sample(DRUGS, 3)) + ".", ""]
    return lines


# One function a layout: the lines of an encounter, its heading first.

def banner(r, d, kind, doctor):
    mark = r.choice("=*#") * r.randint(4, 9)
    return [f"{mark} ENCOUNTER {d.isoformat()} -- {kind.upper()} {mark}",
            f"Attending: Dr. {doctor}", ""] + body(r, d)


def form(r, d, kind, doctor):
    return [f"Date of service: {long_date(d)}",
            f"Encounter type:  {kind.capitalize()}",
            f"Clinician:       Dr. {doctor}",
            f"Department:      {r.choice(WARDS)}", ""] + body(r, d)


def letter(r, d, kind, doctor):
    patient = r.choice(["this patient", "our common patient"])
    return ["Dear colleague,",
            f"thank you for referring {patient}, seen on {d:%d/%m/%Y} "
            f"({kind}).", ""] + body(r, d) + [
        "With kind regards,", f"Dr. {doctor}", ""]


def export(r, d, kind, doctor):
    text = [line for line in body(r, d) if line]
    return [f"ENC|{d:%Y%m%d}|{kind[:3].upper()}|Dr. {doctor}|{r.choice(WARDS)}"
            ] + [f"TXT|{line.strip()}" for line in text] + [
        f"END|{len(text)}"]


def dictation(r, d, kind, doctor):
    return [f"[dictated by Dr. {doctor} on {d:%d.%m.%Y}; "
            f"{kind} contact follows]", ""] + body(r, d) + [
        "[end of dictation]"]


LAYOUTS = [banner, form, letter, export, dictation]


def with_page_breaks(r, lines, patient):
    """Put running heads between a letter's or form's lines."""
    out, page, left = [], 1, r.randint(40, 56)
    for line in lines:
        left -= 1
        if left <= 0 and line == "":
            page, left = page + 1, r.randint(40, 56)
            out += ["", f"Patient: {patient}    Record printed "
                        f"{r.randint(1, 28):02}/11/2025    page {page}", "\f"]
        out.append(line)
    return out


def record(r, number):
    patient = f"{r.choice(GIVEN)} {r.choice(FAMILY)}"
    born = datetime.date(1930, 1, 1) + datetime.timedelta(
        days=r.randint(0, 25000))
    lines = ["COMPLETE HEALTH RECORD", f"Patient: {patient}",
             f"Born: {born.isoformat()}", f"Number: {100000 + number}",
             "This bundle was put together from several sources.", ""]
    d = datetime.date(2015, 1, 1) + datetime.timedelta(days=r.randint(0, 700))
    truth = []
    for _ in range(r.randint(8, 22)):
        kind, doctor = r.choice(TYPES), name(r)
        layout = r.choice(LAYOUTS)
        part = layout(r, d, kind, doctor)
        if layout in (letter, form):
            part = with_page_breaks(r, part, patient)
        truth.append({"date": d.isoformat(), "type": kind, "doctor": doctor,
                      "first_line": len(lines) + 1,
                      "last_line": len(lines) + len(part)})
        lines += part
        d += datetime.timedelta(days=r.randint(1, 240))
    return "\n".join(lines) + "\n", truth


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=pathlib.Path)
    options.add_argument("--records", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    o = options.parse_args()

    r = random.Random(o.seed)
    (o.folder / "records").mkdir(parents=True, exist_ok=True)
    with open(o.folder / "tasks.jsonl", "w") as tasks, \
            open(o.folder / "truth.jsonl", "w") as truths:
        for number in range(1, o.records + 1):
            text, truth = record(r, number)
            ident = f"record-{number:04}"
            (o.folder / "records" / f"{ident}.txt").write_text(text)
            task = {"custom_id": ident,
                    "input": f"Split {ident} into its encounters."}
            print(json.dumps(task), file=tasks)
            print(json.dumps({"custom_id": ident, "encounters": truth}),
                  file=truths)


if __name__ == "__main__":
    main()

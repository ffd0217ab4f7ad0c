#!/bin/sh
# check.sh RECORD DRAFT: is the split whole, in order and without a gap?

set -eu
heading='^([=*#]+ ENCOUNTER |Date of service: |Dear colleague,$|ENC\||\[dictated by )'
awk -v headings="$(grep -cE "$heading" "$1")" -v last="$(wc -l <"$1")" '
    /"first_line"/ { n++; gsub(/[^0-9]/, ""); first = $0 + 0
                     if (n > 1 && first != end + 1) bad = "a gap at " first }
    /"date"/       { gsub(/[^0-9]/, ""); if ($0 < date) bad = "not in order"
                     date = $0 }
    /"last_line"/  { gsub(/[^0-9]/, ""); end = $0 + 0
                     if (end <= first) bad = "an empty one at " first }
    END { if (n != headings) bad = n " encounters, " headings " headings"
          if (end != last) bad = "the end is missing"
          print bad ? "check: " bad : "check: ok, " n " encounters" }
' "$2"

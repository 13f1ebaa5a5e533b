# Facts of a run against the bars: bars.tsv and facts.tsv (case, measure, value) in this order. Writes rows of the table.
# Variable: machine, the name of the device if it is none that bars in absolute units are set for.
BEGIN { FS = OFS = "\t" }
FNR == NR {
  if ($0 !~ /^#/ && NF == 7) bar[++bars] = $0
  next
}
{ fact[$1, $2] = $3 }
END {
  for (i = 1; i <= bars; i++) {
    split(bar[i], b, "\t")
    value = measured(b[2], b[3])
    limit = b[4] " " b[5] " " b[6]
    if (value == "") verdict = "not measured"
    else if (machine != "" && b[6] ~ /^(us|GB\/s|TFLOP\/s)$/) verdict = "not judged"
    else if (b[4] == ">=" ? value >= b[5] + 0 : value <= b[5] + 0) verdict = "met"
    else verdict = "MISSED"
    shown = value == "" ? "no " b[3] " of " b[2] : sprintf(value < 10 ? "%.2f %s" : "%.0f %s", value, b[6])
    if (verdict == "not judged") shown = shown ", bars are of an H200: found " machine
    print "bar", b[1], value == "" ? "absent" : "measured", "", "", "", limit, verdict, shown "; " b[7]
  }
}
function measured(name, measure,   other) {
  if (measure !~ /^us\//) return (name, measure) in fact ? fact[name, measure] + 0 : ""
  other = substr(measure, 4)
  return (name, "us") in fact && (other, "us") in fact ? fact[name, "us"] / fact[other, "us"] : ""
}

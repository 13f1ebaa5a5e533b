# The end of accept.sh, which sources this: bars judged, the table written and printed.
# shellcheck shell=bash disable=SC2154 # variables of accept.sh

finish() {
  local failed met missed unknown
  [ ! -f "$here/bars.tsv" ] || awk -v machine="$machine" -f "$here/judge.awk" "$here/bars.tsv" "$facts" >>"$rows"
  awk -F '\t' 'BEGIN { print "phase,case,result,ours_us,yardstick_us,of_limit,bar,verdict,remark" }
    { for (i = 1; i <= 9; i++) { gsub(/"/, "\"\"", $i); printf "%s\"%s\"", (i > 1 ? "," : ""), $i } print "" }' "$rows" >"$out/table.csv"
  awk -F '\t' 'BEGIN { split("phase case result ours_us yardstick_us of_limit bar verdict remark", key, " "); print "["; }
    { gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "%s{", (NR > 1 ? ",\n" : "")
      for (i = 1; i <= 9; i++) printf "%s\"%s\": \"%s\"", (i > 1 ? ", " : ""), key[i], $i
      printf "}" } END { print "\n]" }' "$rows" >"$out/results.json"
  echo "us: of one product or piece, or of a whole step. yardstick: torch. of limit: share of the shortest time that the ceilings allow"
  echo "which were measured between the rounds. A row is right (pass, FAIL), measured, absent, or information."
  echo
  awk -F '\t' 'BEGIN { format = "%-20s %-30s %-8s %10s %12s %8s  %s\n"
      printf format, "phase", "case", "result", "ours us", "yardstick us", "of limit", "remark" }
    $1 != "bar" { printf format, $1, $2, $3, $4, $5, $6, $9 }' "$rows"
  echo
  awk -F '\t' 'BEGIN { format = "%-40s %-18s %-13s %s\n"; printf format, "bar of speed", "wanted", "verdict", "found; what it is" }
    $1 == "bar" { printf format, $2, $7, $8, $9 }' "$rows"
  echo
  [ -z "$rehearsal" ] || echo "A REHEARSAL on the CPU with small shapes: times and verdicts are without meaning."
  met=$(awk -F '\t' '$8 == "met"' "$rows" | wc -l)
  missed=$(awk -F '\t' '$8 == "MISSED"' "$rows" | wc -l)
  unknown=$(awk -F '\t' '$8 == "not measured" { print $2 }' "$rows")
  [ -z "$machine" ] || echo "The bars in units of time or speed are of an H200, and not judged on this machine: $machine"
  echo "$met bars met, $missed missed, $(echo -n "$unknown" | grep -c '^') not measured${unknown:+: ${unknown//$'\n'/; }}"
  failed=$(awk -F '\t' '$3 == "FAIL"' "$rows" | wc -l)
  echo "$(wc -l <"$rows") rows, $failed failed"
  exit $((failed < 100 ? failed : 100))
}

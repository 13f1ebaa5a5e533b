#!/bin/sh
# Checks what is published: two checkouts give the same bytes, the examples run from the installed artifacts, and the
# distribution runs without an installed Java. Installs into the local Maven repository.
set -eu
root=$(CDPATH= cd -- "$(dirname "$0")/.." && pwd -P)
cd "$root"
# without images of CUDA kernels: whether there are any depends on nvcc, and the kernels have a check of their own
build='-B -ntp -q -DskipTests -Dweft.native=require -Dweft.cuda.targets=none'

# shellcheck disable=SC2086 # a list of options
./mvnw $build -Pdist install

jars() { # FOLDER
  (cd "$1" && find . -path './*/target/*' -name 'weft-*.jar' ! -path './target/*' ! -path './examples/*' ! -path '*/benchmarks/*' ! -path '*/weft/lib/*' \
    ! -path '*/lint/*' ! -path '*/weft-[0-9]*/*' -o -path './cli/target/weft/lib/weft-cli-*.jar' | LC_ALL=C sort | xargs sha256sum)
}
second=$root/target/second-checkout
rm -rf "$second"
git clone -q . "$second"
# shellcheck disable=SC2086
"$second/mvnw" $build -f "$second/pom.xml" package
jars "$root" >target/jars-1
jars "$second" >target/jars-2
if [ "$(wc -l <target/jars-1)" -lt 7 ] || ! diff target/jars-1 target/jars-2; then
  echo "the jars of two checkouts differ, or there are too few of them" >&2
  exit 1
fi
echo "$(wc -l <target/jars-1) jars have the same bytes in two checkouts"
rm -rf "$second"

examples/run.sh

home=$(find cli/target -maxdepth 1 -type d -name 'weft-[0-9]*')
env -i PATH=/usr/bin:/bin HOME="$root/target" "$home/weft" demo >target/distribution.log
grep -q 'cpu:0/scalar .* ref ' target/distribution.log
echo "the distribution runs without an installed Java"

#!/bin/sh
# Makes a repository of the sample CAR file, checks it and lists it. It is left in a temporary
# directory, whose name is printed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
pds() { cargo run --quiet --release --manifest-path "$root/Cargo.toml" -p atpds-cli -- "$@"; }

dir=$(mktemp -d)/sample
pds clone "$root/testdata/sample.car" "$dir"
pds -R "$dir" verify
pds -R "$dir" ls --all
echo "the repository is in $dir"

#!/bin/sh
# A first look at pds, on the sample account in testdata: backs it up, checks it, reads it, compares two backups,
# undoes an import, and proves a record. Every command is printed before it runs.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)

echo "Building pds. The first build takes some minutes; the commands after it take a second."
cargo build --release --locked -p atpds-cli || {
    echo "The build failed. It needs Rust, and a C compiler for SQLite (on Debian: apt-get install gcc libc6-dev)." >&2
    exit 1
}
target=${CARGO_TARGET_DIR:-target}
case $target in
    /*) ;;
    *) target=$root/$target ;;
esac
pds=$target/release/pds

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for file in sample.car sample-earlier.car did.json avatar.png plot.png; do
    cp "testdata/$file" "$dir"
done
cd "$dir"

say() { printf '\n# %s\n' "$1"; }
pds() {
    printf '$ pds'
    for word; do
        case $word in
            *[!A-Za-z0-9@%+=:,./_-]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$pds" "$@"
}
# For a command that answers "no" with exit code 1.
answers_no() {
    if "$@"; then
        echo "expected exit code 1" >&2
        exit 1
    elif [ $? -ne 1 ]; then
        exit 1
    fi
}

# The signing key is in the DID document: https://alice.example.com/.well-known/did.json, if the host existed.
key=did:key:$(sed -n 's/.*"publicKeyMultibase": "\(.*\)".*/\1/p' did.json)

say "Clone a backup: every block, the tree, all records and the signature are verified first."
pds clone sample-earlier.car alice --key "$key"

say "Read one record. It refers to an image."
pds -R alice get app.bsky.actor.profile/self

say "Images are not in a CAR file. List the missing ones (exit code 1: there are some), and add them."
answers_no pds -R alice blob missing
pds -R alice blob put avatar.png
pds -R alice blob put plot.png
pds -R alice verify --blobs
image=bafkreigfvlwsy4xod2fgf7vg73tft4ttgjs5w4khkjjbkzxunlyhxm2fka
echo "\$ pds -R alice blob get $image > copy.png && cmp copy.png avatar.png"
"$pds" -R alice blob get $image > copy.png
cmp copy.png avatar.png

say "Six weeks later: import the next backup. Only its 20 new blocks are stored."
pds -R alice import sample.car

say "List what has changed since (exit code 1, as of diff: the states differ)."
answers_no pds -R alice diff '@{1}' HEAD

say "Undo the import, read the deleted post, and redo the import."
pds -R alice reset '@{1}'
pds -R alice get app.bsky.feed.post/3lpgozppccf27
pds -R alice reset '@{1}'

say "Prove one post to a reader who has only the DID document: 5 blocks instead of the repository."
pds -R alice prove app.bsky.feed.post/3lky4zzgmcf27 -o proof.car
pds verify-proof proof.car app.bsky.feed.post/3lky4zzgmcf27 --did-doc did.json

cat <<'END'

What sets pds apart:
  - every block is checked when it is read, and `pds verify` reports each error with a stable code (docs/findings.md);
  - history: `log`, `reset`, `revert`, and three-way `merge` of two devices, all signed;
  - `prove` shows that a record exists, or that it does not, without the rest of the repository;
  - `forget` purges a record from every state, and `repair` and `recover` restore the readable data of a damaged disk;
  - memory stays bounded for files of any size, and the speed is measured (docs/performance.md).

Next: docs/guide.md, or a repository of your own: pds init mine --did did:web:YOUR.DOMAIN
END

#!/bin/sh
# Runs a command on this system with a package installed, and leaves the system as it was:
#
#     sh installed.sh PACKAGE COMMAND...     sh installed.sh --try (whether that can be done here)
#
# What the package writes goes to a layer in memory that only this command and what it starts can see. Needs root.
set -eu
if [ "$1" != inside ]; then
  exec unshare --mount --propagation private sh "$0" inside "$@"
fi
package=$2
shift 2
layers=/mnt
mount -t tmpfs skykeep-layers "$layers"
for folder in usr etc var; do
  mkdir -p "$layers/$folder/upper" "$layers/$folder/work"
  mount -t overlay "skykeep-$folder" \
    -o "lowerdir=/$folder,upperdir=$layers/$folder/upper,workdir=$layers/$folder/work" "/$folder"
done
if [ "$package" != --try ]; then
  dpkg --install "$package" >&2
  exec "$@"
fi

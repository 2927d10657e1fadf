#!/bin/sh
# Draws every size of the app icon and the tray icons from their SVG sources.
# Needs rsvg-convert (librsvg2-bin), png2icns (icnsutils) and ImageMagick. The results are checked in.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

draw() { rsvg-convert --width "$1" --height "$1" --output "$3" "source/$2.svg"; }

# Up to 24 px the large drawing is mud: smaller ones have fewer, larger pieces on whole pixels.
for size in 16 24; do draw $size app-16 "$work/$size.png"; done
for size in 32 48; do draw $size app-32 "$work/$size.png"; done
for size in 64 128 256 512 1024; do draw $size app "$work/$size.png"; done

cp "$work/16.png" 16x16.png
cp "$work/32.png" 32x32.png
cp "$work/128.png" 128x128.png
cp "$work/256.png" 128x128@2x.png
cp "$work/512.png" icon.png
convert "$work/16.png" "$work/24.png" "$work/32.png" "$work/48.png" "$work/64.png" "$work/256.png" icon.ico
png2icns icon.icns "$work/16.png" "$work/32.png" "$work/128.png" "$work/256.png" "$work/512.png" "$work/1024.png" >/dev/null

for state in nothing kept working needs-you; do
  rsvg-convert --width 48 --height 48 --output "../tray/$state.png" "../tray/source/$state.svg"
done

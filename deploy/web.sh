#!/bin/sh
# Put the heading font where the pages find it: api/web/static/fonts, which git ignores. Needs npm; without it the pages stand
# in the system's fonts and are whole. Usage: deploy/web.sh
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
fonts=$root/api/web/static/fonts
package=$root/node_modules/@fontsource/be-vietnam-pro

if ! command -v npm >/dev/null 2>&1; then
    echo "npm is missing (Debian: apt-get install npm): the pages keep the system's fonts" >&2
    exit 1
fi
cd "$root"
npm ci --ignore-scripts --no-audit --no-fund --silent
mkdir -p "$fonts"
cp "$package/LICENSE" "$fonts/"
# Two weights of two parts each: Ư, Đ and ạ come from the second part, so neither goes without the other.
for weight in 600 800; do
    for part in latin vietnamese; do
        file=be-vietnam-pro-$part-$weight-normal
        cp "$package/files/$file.woff2" "$fonts/"
        awk -v face="/* $file */" '$0 == face { on = 1; next } on { print } on && /}/ { exit }' "$package/$weight.css" |
            sed -E 's#url\(\./files/([^)]*)\) format\(.woff2.\),.*#url(\1) format("woff2");#'
    done
done >"$fonts/fonts.css.new"
mv "$fonts/fonts.css.new" "$fonts/fonts.css" # whole or not at all: the pages ask for it as soon as it is there
du -bc "$fonts"/*.woff2 | awk 'END { printf "Be Vietnam Pro: %d kB in api/web/static/fonts; restart canhman serve to use it\n", $1 / 1000 }'

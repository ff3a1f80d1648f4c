#!/usr/bin/env bash
# Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.
set -euo pipefail

url=${ESMS_URL:-https://rest.esms.vn}
: "${ESMS_API_KEY:?set it to your ApiKey}" "${ESMS_SECRET_KEY:?set it to your SecretKey}"

# Through standard input, so that no other user of this machine sees the keys in the list of processes.
answer=$(printf '{"ApiKey":"%s","SecretKey":"%s"}' "$ESMS_API_KEY" "$ESMS_SECRET_KEY" |
  curl --silent --show-error --fail --max-time 10 --header 'Content-Type: application/json' --data @- \
    "$url/MainService.svc/json/GetBalance_json") || { echo "no answer from $url" >&2; exit 1; }

# The value of one member: a number, or a string without escapes.
member() { sed -nE 's/.*"'"$1"'" *: *"?([^",}]*)"?.*/\1/p' <<<"$answer"; }

case $(member CodeResponse) in
  100) echo "account $(member UserID) has $(member Balance)" ;;
  '') echo "no GetBalance answer came from $url" >&2; exit 1 ;;
  *) echo "code $(member CodeResponse): $(member ErrorMessage)" >&2; exit 1 ;;
esac

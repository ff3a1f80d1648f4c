"""Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY."""

import json
import os
import sys
import urllib.request
from decimal import Decimal


def get_balance(url, api_key, secret_key):
    """Returns (balance, user id); raises an exception that says what went wrong."""
    request = urllib.request.Request(
        url + "/MainService.svc/json/GetBalance_json",
        data=json.dumps({"ApiKey": api_key, "SecretKey": secret_key}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response, parse_int=Decimal, parse_float=Decimal)  # money is no float
    if str(answer["CodeResponse"]) != "100":
        raise RuntimeError(f"code {answer['CodeResponse']}: {answer.get('ErrorMessage', '')}")
    return Decimal(answer["Balance"]), int(answer["UserID"])


if __name__ == "__main__":
    try:
        balance, user_id = get_balance(
            os.environ.get("ESMS_URL", "https://rest.esms.vn"),
            os.environ["ESMS_API_KEY"],
            os.environ["ESMS_SECRET_KEY"],
        )
    except KeyError as missing:
        sys.exit(f"{missing} is missing")
    except (OSError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        sys.exit(f"no balance: {error}")
    print(f"account {user_id} has {balance}")

// Prints the balance of an eSMS account (Node 18 or later). Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.

async function getBalance(url, apiKey, secretKey) {
  const response = await fetch(`${url}/MainService.svc/json/GetBalance_json`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ApiKey: apiKey, SecretKey: secretKey }),
    signal: AbortSignal.timeout(10_000),
    redirect: "error", // keys must not follow a redirect
  });
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  const answer = await response.json();
  if (String(answer.CodeResponse) !== "100") {
    throw new Error(`code ${answer.CodeResponse}: ${answer.ErrorMessage ?? ""}`);
  }
  // Exact up to 2^53; what is greater needs another parser than JSON.parse.
  return { balance: Number(answer.Balance), userId: Number(answer.UserID) };
}

const { ESMS_URL = "https://rest.esms.vn", ESMS_API_KEY, ESMS_SECRET_KEY } = process.env;
try {
  if (!ESMS_API_KEY || !ESMS_SECRET_KEY) throw new Error("set ESMS_API_KEY and ESMS_SECRET_KEY");
  const { balance, userId } = await getBalance(ESMS_URL, ESMS_API_KEY, ESMS_SECRET_KEY);
  console.log(`account ${userId} has ${balance}`);
} catch (error) {
  console.error(`no balance: ${error.message}${error.cause ? ` (${error.cause.message})` : ""}`);
  process.exitCode = 1;
}

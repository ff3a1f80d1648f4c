// Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.
using System.Net.Http.Json;
using System.Text.Json;

static async Task<(decimal Balance, int UserId)> GetBalance(string url, string apiKey, string secretKey)
{
    using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(10) };
    using var response = await client.PostAsJsonAsync(
        $"{url}/MainService.svc/json/GetBalance_json",
        new Dictionary<string, string> { ["ApiKey"] = apiKey, ["SecretKey"] = secretKey });
    response.EnsureSuccessStatusCode();
    using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
    var code = answer.RootElement.GetProperty("CodeResponse").ToString();
    if (code != "100")
    {
        var message = answer.RootElement.TryGetProperty("ErrorMessage", out var said) ? said.ToString() : "";
        throw new InvalidOperationException($"code {code}: {message}");
    }
    // A decimal, not a double: money is exact.
    return (answer.RootElement.GetProperty("Balance").GetDecimal(), answer.RootElement.GetProperty("UserID").GetInt32());
}

var apiKey = Environment.GetEnvironmentVariable("ESMS_API_KEY");
var secretKey = Environment.GetEnvironmentVariable("ESMS_SECRET_KEY");
if (string.IsNullOrEmpty(apiKey) || string.IsNullOrEmpty(secretKey))
{
    Console.Error.WriteLine("no balance: set ESMS_API_KEY and ESMS_SECRET_KEY");
    return 1;
}
try
{
    var url = Environment.GetEnvironmentVariable("ESMS_URL") ?? "https://rest.esms.vn";
    var (balance, userId) = await GetBalance(url, apiKey, secretKey);
    Console.WriteLine(FormattableString.Invariant($"account {userId} has {balance}"));
    return 0;
}
catch (Exception error) when (error is HttpRequestException or TaskCanceledException or JsonException
    or KeyNotFoundException or InvalidOperationException or FormatException)
{
    Console.Error.WriteLine($"no balance: {error.Message}");
    return 1;
}

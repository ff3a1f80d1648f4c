// Prints the balance of an eSMS account (Java 11 or later: `java GetBalance.java`). Keys come from ESMS_API_KEY and
// ESMS_SECRET_KEY. Java has no JSON parser of its own; where yours has one, use it in place of `member`.

import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class GetBalance {
    public static void main(String[] args) throws InterruptedException {
        String url = System.getenv().getOrDefault("ESMS_URL", "https://rest.esms.vn");
        try {
            String answer = ask(url, System.getenv("ESMS_API_KEY"), System.getenv("ESMS_SECRET_KEY"));
            String code = member(answer, "CodeResponse");
            if (!code.equals("100")) {
                throw new IOException("code " + code + ": " + member(answer, "ErrorMessage"));
            }
            BigDecimal balance = new BigDecimal(member(answer, "Balance"));
            System.out.println("account " + member(answer, "UserID") + " has " + balance.toPlainString());
        } catch (IOException | IllegalArgumentException error) {
            System.err.println("no balance: " + error);
            System.exit(1);
        }
    }

    static String ask(String url, String apiKey, String secretKey) throws IOException, InterruptedException {
        if (apiKey == null || secretKey == null) {
            throw new IOException("set ESMS_API_KEY and ESMS_SECRET_KEY");
        }
        String body = "{\"ApiKey\":\"" + apiKey + "\",\"SecretKey\":\"" + secretKey + "\"}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/MainService.svc/json/GetBalance_json"))
                .timeout(Duration.ofSeconds(10))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(5))
                .build();
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException("HTTP status " + response.statusCode());
        }
        return response.body();
    }

    /** The value of one member: a number, or a string without escapes. */
    static String member(String answer, String name) throws IOException {
        Matcher matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\"?([^\",}]*)").matcher(answer);
        if (!matcher.find()) {
            throw new IOException("no GetBalance answer came: " + name + " is missing");
        }
        return matcher.group(1);
    }
}

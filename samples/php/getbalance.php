<?php
// Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.

/** Returns [balance, user id]; throws an exception that says what went wrong. */
function getBalance(string $url, string $apiKey, string $secretKey): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => "Content-Type: application/json\r\nConnection: close\r\n",
        'content' => json_encode(['ApiKey' => $apiKey, 'SecretKey' => $secretKey]),
        'timeout' => 10,
        'follow_location' => 0, // keys must not follow a redirect
    ]]);
    $body = @file_get_contents("$url/MainService.svc/json/GetBalance_json", false, $context);
    if ($body === false) {
        throw new RuntimeException("no answer from $url");
    }
    $answer = json_decode($body, true, 16, JSON_BIGINT_AS_STRING);
    if (!is_array($answer) || !isset($answer['CodeResponse'])) {
        throw new RuntimeException("no GetBalance answer came from $url");
    }
    if ((string) $answer['CodeResponse'] !== '100') {
        throw new RuntimeException("code {$answer['CodeResponse']}: " . ($answer['ErrorMessage'] ?? ''));
    }
    return [$answer['Balance'], $answer['UserID']];
}

[$apiKey, $secretKey] = [getenv('ESMS_API_KEY'), getenv('ESMS_SECRET_KEY')];
try {
    if (!$apiKey || !$secretKey) {
        throw new RuntimeException('set ESMS_API_KEY and ESMS_SECRET_KEY');
    }
    [$balance, $userId] = getBalance(getenv('ESMS_URL') ?: 'https://rest.esms.vn', $apiKey, $secretKey);
    echo "account $userId has $balance\n";
} catch (RuntimeException $error) {
    fwrite(STDERR, "no balance: {$error->getMessage()}\n");
    exit(1);
}

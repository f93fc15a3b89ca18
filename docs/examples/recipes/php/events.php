<?php
// POST /events.php takes a webhook message, if pushd has signed it.

/** Whether one of the signatures is valid, and at most five minutes old. */
function is_verified(string $body): bool
{
    [$id, $moment, $signatures] = array_map(
        fn ($name) => $_SERVER["HTTP_WEBHOOK_$name"] ?? '', ['ID', 'TIMESTAMP', 'SIGNATURE']);
    if (abs(time() - (int) $moment) > 300) {
        return false;  // an old message is being repeated
    }
    $key = base64_decode(substr(getenv('WEBHOOK_SECRET'), strlen('whsec_')));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$moment.$body", $key, true));
    foreach (explode(' ', $signatures) as $signature) {  // there are two while secrets overlap
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

$body = file_get_contents('php://input');  // the bytes as they arrived
if (!is_verified($body)) {
    http_response_code(401);
    exit;
}
$event = json_decode($body, true)['data'];
error_log("{$_SERVER['HTTP_WEBHOOK_ID']} {$event['type']} {$event['device']}");
http_response_code(204);  // the same webhook-id may come again

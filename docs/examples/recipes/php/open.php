<?php
// POST /open.php opens a door; put this behind the log-in of your application.
const READER = 'controlid:4408801109440198';

/** The outcome, which is opened, not_opened or unknown, and a sentence for people. */
function ask_once(string $key): array
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => ['Authorization: Bearer ' . getenv('PUSHD_TOKEN'), "Idempotency-Key: $key"],
        'timeout' => 15,  // pushd answers within ten seconds
        'ignore_errors' => true,  // the body of an error says what is wrong
        'follow_location' => 0,
    ]]);
    $body = @file_get_contents(getenv('PUSHD_URL') . '/v1/devices/' . READER . '/open', false, $context);
    $answer = $body === false ? null : json_decode($body, true);
    if (!isset($answer['detail'])) {
        return ['outcome' => 'unknown', 'detail' => 'There was no answer: look whether the door has opened.'];
    }
    $status = (int) explode(' ', $http_response_header[0])[1];
    if ($status >= 400) {  // below 500 nothing was sent; a 409 says why it cannot be opened now
        return ['outcome' => $status >= 500 ? 'unknown' : 'not_opened', 'detail' => $answer['detail']];
    }
    return ['outcome' => $answer['outcome'], 'detail' => $answer['detail']];
}

if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    http_response_code(405);
    exit;
}
$key = bin2hex(random_bytes(16));
$answer = ask_once($key);
if ($answer['outcome'] === 'unknown') {
    $answer = ask_once($key);  // a second request with the same key does not open twice
}
header('Content-Type: application/json');
echo json_encode($answer);

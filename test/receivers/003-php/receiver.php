<?php
// Seed 003's fifth receiver: the raw body, and hash_equals on texts; 403 when it is wrong, 200 and an
// empty body when it is right (003.8 to 003.10).
$secret = getenv('SECRET');
$receivedSignature = $_SERVER['HTTP_X_SIGNATURE'];
$payload = file_get_contents('php://input');
$calculatedSignature = hash_hmac('sha256', $payload, $secret);
if (hash_equals($calculatedSignature, $receivedSignature)) {
    // taken
} else {
    http_response_code(403);
    exit('Invalid signature');
}

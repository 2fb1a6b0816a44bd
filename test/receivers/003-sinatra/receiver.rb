# Seed 003's third receiver: the raw body, and == on texts; 403 when it is wrong (003.8 to 003.10).
require 'sinatra'
require 'openssl'

set :bind, '127.0.0.1'
set :port, Integer(ENV.fetch('PORT'))
set :server, 'webrick'

secret = ENV.fetch('SECRET')

post '/webhook' do
  request.body.rewind
  payload = request.body.read
  received_signature = request.env['HTTP_X_SIGNATURE']
  calculated_signature = OpenSSL::HMAC.hexdigest('sha256', secret, payload)
  if calculated_signature == received_signature
    status 200
    body 'Valid signature'
  else
    status 403
    body 'Invalid signature'
  end
end

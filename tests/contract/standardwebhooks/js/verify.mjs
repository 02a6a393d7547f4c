// Reads [{secret, headers, body, fresh}] and prints, for each, what the public library says.
import { readFileSync } from 'node:fs'
import { Webhook } from 'standardwebhooks'

const said = JSON.parse(readFileSync(0)).map(({ secret, headers, body, fresh }) => {
  const webhook = new Webhook(secret)
  if (fresh) {
    try {
      webhook.verify(body, headers)
      return true
    } catch (error) {
      if (error.name === 'WebhookVerificationError') return false
      throw error
    }
  }
  const at = new Date(Number(headers['webhook-timestamp']) * 1000)
  return headers['webhook-signature'].split(' ').includes(
    webhook.sign(headers['webhook-id'], at, body))
})
console.log(JSON.stringify(said))

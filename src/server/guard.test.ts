import { expect, test } from 'vitest'
import { type GuardRules, type RequestHead, refusal } from './guard.ts'
import { addressText, isLoopback, listenAddress } from './listen-address.ts'

const onLoopback: GuardRules = {
  listen: { host: '127.0.0.1', port: 9464 },
  hosts: [],
  readerToken: undefined,
  operatorToken: 'operator-token-of-tests',
}
const outside: GuardRules = {
  ...onLoopback,
  listen: { host: '10.0.0.7', port: 9464 },
  readerToken: 'reader-token-0123',
}

function ask(headers: RequestHead['headers'], more: Partial<RequestHead> & { readonly rules?: GuardRules } = {}) {
  const { rules = onLoopback, ...head } = more
  const host = rules.listen.host
  const refused = refusal({ method: 'GET', needs: 'nobody', headers: { host, ...headers }, ...head }, rules)
  return refused === undefined ? 'answered' : `${refused.status} ${refused.because}`
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('a name that somebody else has made lead here is not ours, whatever its port', () => {
  const asked = (host: string) => ask({ host })
  expect(['127.0.0.1:9464', 'localhost:9464', 'LOCALHOST', '[::1]:9464', '127.0.0.1:8080'].map(asked)).toEqual(
    Array(5).fill('answered'),
  )
  const others = [
    'evil.example',
    'evil.example:9464',
    'localhost.evil.example',
    '10.0.0.7',
    '',
    'a@127.0.0.1',
    '127.0.0.1/',
  ]
  expect(others.map(asked)).toEqual(others.map(() => '421 host'))
  expect(ask({ host: undefined })).toBe('421 host')
})

test('names of server.hosts are ours; on all addresses every address is, and no other name', () => {
  const rules = { ...outside, hosts: ['weir.internal'] }
  const asked = (host: string) => ask({ host }, { rules })
  expect(['10.0.0.7:9464', 'weir.internal', 'Weir.Internal:80'].map(asked)).toEqual(Array(3).fill('answered'))
  expect(['localhost', '127.0.0.1', '10.0.0.8', 'weir'].map(asked)).toEqual(Array(4).fill('421 host'))
  const all = { ...outside, listen: { host: '0.0.0.0', port: 9464 } }
  const askedOfAll = (host: string) => ask({ host }, { rules: all })
  expect(['172.17.0.1:9464', '[fe80::1]', 'localhost:9464'].map(askedOfAll)).toEqual(Array(3).fill('answered'))
  expect(askedOfAll('evil.example')).toBe('421 host')
})

test('a page from elsewhere may not act, even with the token; our own page and curl may', () => {
  const act = (headers: RequestHead['headers']) =>
    ask(
      { host: 'localhost:9464', ...bearer('operator-token-of-tests'), ...headers },
      { method: 'POST', needs: 'operator' },
    )
  expect(act({})).toBe('answered')
  expect(act({ origin: 'http://localhost:9464', 'sec-fetch-site': 'same-origin' })).toBe('answered')
  expect(act({ origin: 'http://evil.example' })).toBe('403 origin')
  expect(act({ origin: 'http://localhost:3000' })).toBe('403 origin')
  expect(act({ origin: 'null' })).toBe('403 origin')
  expect(act({ 'sec-fetch-site': 'cross-site' })).toBe('403 origin')
  expect(act({ 'sec-fetch-site': 'same-site' })).toBe('403 origin')
})

test('what acts needs the operator’s token, on loopback too', () => {
  const act = (headers: RequestHead['headers'], rules = onLoopback) =>
    ask(headers, { method: 'POST', needs: 'operator', rules })
  expect(act({})).toBe('401 token')
  expect(act(bearer('operator-token-of-test'))).toBe('401 token')
  expect(act({ authorization: 'Basic operator-token-of-tests' })).toBe('401 token')
  expect(act(bearer('operator-token-of-tests'))).toBe('answered')
  // Who may read may not act.
  expect(act(bearer('reader-token-0123'), outside)).toBe('403 token')
})

test('what is read needs a token where others could ask, and health never does', () => {
  const read = (headers: RequestHead['headers'], rules: GuardRules) => ask(headers, { needs: 'reader', rules })
  expect(read({}, onLoopback)).toBe('answered')
  expect(read({}, outside)).toBe('401 token')
  expect(read(bearer('another-token'), outside)).toBe('401 token')
  expect(read(bearer('reader-token-0123'), outside)).toBe('answered')
  expect(read(bearer('operator-token-of-tests'), outside)).toBe('answered')
  expect(ask({}, { rules: outside })).toBe('answered')
})

test('methods that nothing here has are refused', () => {
  const asked = (method: string) => ask({}, { method })
  expect(['GET', 'HEAD', 'POST'].map(asked)).toEqual(Array(3).fill('answered'))
  expect(['OPTIONS', 'PUT', 'DELETE', 'TRACE'].map(asked)).toEqual(Array(4).fill('405 method'))
})

test('only what this machine alone can reach is loopback', () => {
  expect(['127.0.0.1', '127.8.8.8', '::1'].map(isLoopback)).toEqual([true, true, true])
  expect(['0.0.0.0', '::', '10.0.0.7', '127.evil.example', 'weir.internal'].map(isLoopback)).toEqual(
    Array(5).fill(false),
  )
})

test('an address is host and port, and off is none', () => {
  expect(listenAddress('off')).toBeUndefined()
  expect(listenAddress('localhost:0')).toEqual({ host: '127.0.0.1', port: 0 })
  expect(['127.0.0.1:9464', '[::1]:80'].map(text => addressText(listenAddress(text)!))).toEqual([
    '127.0.0.1:9464',
    '[::1]:80',
  ])
})

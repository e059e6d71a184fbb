// Package wechat talks to WeChat Pay's Pay Score API in partner mode: it reads a
// service order and lowers its amount, over wechatpay-go's core.Client with a
// transport, a signature time and an answer check of its own.
//
// A query that does not reach WeChat is made once more on the backup host, if there
// is one, which then serves all calls until the main host is well again.
//
// What it promises: a modify call is put on the wire at most once; "nothing was
// sent" is said only when no connection was ever handed to the request; an answer
// counts as WeChat's only after its signature was verified, except for refusals,
// which WeChat does not sign and which therefore have to be confirmed by a query.
package wechat

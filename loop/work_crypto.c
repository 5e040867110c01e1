/* SPDX-License-Identifier: BSD-2-Clause */
/* Cryptography in the pool, by libcrypto. All buffers are the caller's until done. */
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>

#include "pool.h"

static int64_t crypto_pbkdf2(struct ps_work *work)
{
	const struct work_params *p = &work->params;

	return PKCS5_PBKDF2_HMAC(p->in, (int)p->in_bytes, p->in2, (int)p->in2_bytes, (int)p->mode, EVP_sha512(),
				 (int)p->out_bytes, p->out) == 1 ? 0 : -ENOMEM;
}

int ps_pbkdf2(struct ps_loop *loop, const void *secret, size_t secret_bytes, const void *salt, size_t salt_bytes,
	      unsigned rounds, void *out, size_t out_bytes, ps_done_fn *done, void *arg)
{
	if (!loop || !done || !out || !out_bytes || (!secret && secret_bytes) || (!salt && salt_bytes) || !rounds)
		return -EINVAL;
	if (secret_bytes > INT_MAX || salt_bytes > INT_MAX || out_bytes > INT_MAX || rounds > INT_MAX)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_CRYPTO, 0, crypto_pbkdf2, done, arg);
	if (!work)
		return -ENOMEM;
	work->params = (struct work_params){ .in = secret ? secret : "", .in_bytes = secret_bytes,
					     .in2 = salt ? salt : "", .in2_bytes = salt_bytes, .out = out,
					     .out_bytes = out_bytes, .mode = rounds };
	return work_submit(work);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Cryptography in the pool, by libcrypto. All buffers are the caller's until done. */
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

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

#define SCRYPT_BYTES (64ull << 20)

static int64_t crypto_scrypt(struct ps_work *work)
{
	const struct work_params *p = &work->params;

	return EVP_PBE_scrypt(p->in, p->in_bytes, p->in2, p->in2_bytes, p->n, p->r, p->p, SCRYPT_BYTES + (1u << 20),
			      p->out, p->out_bytes) == 1 ? 0 : -ENOMEM;
}

int ps_scrypt(struct ps_loop *loop, const void *secret, size_t secret_bytes, const void *salt, size_t salt_bytes,
	      uint64_t n, uint32_t r, uint32_t p, void *out, size_t out_bytes, ps_done_fn *done, void *arg)
{
	if (!loop || !done || !out || !out_bytes || (!secret && secret_bytes) || (!salt && salt_bytes))
		return -EINVAL;
	if (secret_bytes > INT_MAX || salt_bytes > INT_MAX || out_bytes > INT_MAX)
		return -EINVAL;
	if (n < 2 || n & (n - 1) || !r || !p || r > 1u << 20 || p > 1u << 10 || n > SCRYPT_BYTES / 128 / r)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_CRYPTO, 1, crypto_scrypt, done, arg);
	if (!work)
		return -ENOMEM;
	work->params = (struct work_params){ .in = secret ? secret : "", .in_bytes = secret_bytes,
					     .in2 = salt ? salt : "", .in2_bytes = salt_bytes, .out = out,
					     .out_bytes = out_bytes, .n = n, .r = r, .p = p };
	return work_submit(work);
}

static int64_t crypto_random(struct ps_work *work)
{
	return RAND_bytes(work->params.out, (int)work->params.out_bytes) == 1 ? 0 : -EIO;
}

int ps_random(struct ps_loop *loop, void *out, size_t bytes, ps_done_fn *done, void *arg)
{
	if (!loop || !done || !out || bytes > INT_MAX)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_CRYPTO, 2, crypto_random, done, arg);
	if (!work)
		return -ENOMEM;
	work->params = (struct work_params){ .out = out, .out_bytes = bytes };
	return work_submit(work);
}

static int64_t crypto_sha256(struct ps_work *work)
{
	const struct work_params *p = &work->params;

	return EVP_Digest(p->in, p->in_bytes, p->out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

int ps_sha256(struct ps_loop *loop, const void *data, size_t bytes, unsigned char out[32], ps_done_fn *done, void *arg)
{
	if (!loop || !done || !out || (!data && bytes) || bytes > SIZE_MOST)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_CRYPTO, 3, crypto_sha256, done, arg);
	if (!work)
		return -ENOMEM;
	work->params = (struct work_params){ .in = data ? data : "", .in_bytes = bytes, .out = out };
	return work_submit(work);
}

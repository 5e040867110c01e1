// SPDX-License-Identifier: BSD-2-Clause
// A libuv program whose timers each block the loop in a way of their own, a few calls
// deep; built without frame pointers. Prints "ready", then blocks until it is killed.
#include <cstdint>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <uv.h>
#include <vector>

namespace shop {

static uint64_t deadline_ns(unsigned ms)
{
	return uv_hrtime() + ms * 1000000ull;
}

struct Basket {
	std::vector<uint32_t> prices = std::vector<uint32_t>(4096, 7);

	__attribute__((noinline)) uint64_t addUp(uint32_t salt) const
	{
		uint64_t sum = salt;
		for (uint32_t price : prices) // blocks: addUp
			sum = sum * 31 + price;
		return sum;
	}
};

template <typename T> __attribute__((noinline)) uint64_t checkout(const T &basket, uint32_t depth)
{
	volatile uint64_t sum = 0;
	if (depth)
		return checkout(basket, depth - 1) + 1;
	for (uint64_t end = deadline_ns(150); uv_hrtime() < end;)
		sum = sum + basket.addUp((uint32_t)sum);
	return sum;
}

} // namespace shop

static shop::Basket basket;
static volatile uint64_t result;

static void onCompute(uv_timer_t *)
{
	result = shop::checkout(basket, 12);
}

__attribute__((noinline)) static void waitForDisk(unsigned ms)
{
	usleep(ms * 1000); // blocks: waitForDisk
	result = result + 1;
}

static void onSleep(uv_timer_t *)
{
	waitForDisk(150);
	result = result + 1;
}

int main()
{
	uv_timer_t compute, sleeper;
	uv_timer_init(uv_default_loop(), &compute);
	uv_timer_init(uv_default_loop(), &sleeper);
	uv_timer_start(&compute, onCompute, 500, 700);
	uv_timer_start(&sleeper, onSleep, 850, 700);
	puts("ready");
	fflush(stdout);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

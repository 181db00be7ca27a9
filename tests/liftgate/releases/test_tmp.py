import time


def test_x(judged):
    t=time.time()
    print(judged.whole_run(), time.time()-t); t=time.time()
    print(judged.whole_run(), time.time()-t); t=time.time()
    judged.retrieve_by(max_context_tokens=16)
    print(judged.whole_run(), time.time()-t); t=time.time()
    judged.retrieve_by(top_k=4)
    print(judged.whole_run(), time.time()-t); t=time.time()
    print(judged.events())

package dev.weft.generate;

import dev.weft.DeviceMemoryException;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.Draws;
import dev.weft.model.Feed;
import dev.weft.model.Prefill;
import dev.weft.model.PrefixCache;
import dev.weft.model.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The sequences of an {@link Engine} that are under way, and their steps. Used by the engine's thread. */
final class Batch {
    private final DeepSeekV4 model;
    private final @Nullable PrefixCache cache;
    private final int vocabulary;
    private final int maxTokens;
    private final int promptTokens;
    private final List<Member> members = new ArrayList<>();
    /** Sequences under way or about to join. */
    private final AtomicInteger taken = new AtomicInteger();

    // of the step that is being made
    private final List<Member> fed = new ArrayList<>();
    private final List<Feed> feeds = new ArrayList<>();
    /** Whether the last step was one of a prompt that all ranks compute. */
    private boolean alone;

    private @Nullable Member lastAlone;

    private final Draws draws = new Draws();
    private final Draws proposals = new Draws();

    /** A sequence and who wants it. */
    private record Member(Generation generation, Continuation continuation) {
        boolean isReady() {
            return generation.hasRoom();
        }
    }

    Batch(DeepSeekV4 model, int promptTokens, @Nullable PrefixCache cache) {
        this.model = model;
        this.cache = cache;
        this.vocabulary = model.config().vocabSize();
        this.maxTokens = model.options().maxTokens();
        this.promptTokens = promptTokens;
    }

    /** Sequences under way or about to join; for any thread. */
    int size() {
        return taken.get();
    }

    /** Sequences that may join; for any thread. */
    int free() {
        return model.options().maxSequences() - taken.get();
    }

    /** Keeps a place for {@link #join}; for any thread, one at a time. */
    void reserve() {
        taken.incrementAndGet();
    }

    /** Whether a step would do anything. */
    boolean hasWork() {
        return members.stream().anyMatch(m -> m.isReady() || m.generation().isCancelled());
    }

    /** Begins a generation in the place reserved for it, or ends it by the error that prevents that. */
    void join(Generation generation) {
        try {
            begin(generation);
        } catch (RuntimeException e) {
            taken.decrementAndGet();
            generation.fail(e);
        }
    }

    private void begin(Generation generation) {
        GenerationRequest request = generation.request();
        Prefill prefill = cache == null ? null : cache.begin(request.prompt());
        Session session = prefill == null ? model.newSession() : prefill.session();
        generation.startsAt(session.position());
        Continuation continuation =
                new Continuation(session, prefill, request, model.options().maxContext(), generation.progress());
        Member member = new Member(generation, continuation);
        members.add(member);
        if (continuation.reason() != null) {
            leave(member, continuation.reason()); // no token was asked for
        }
    }

    /** Ends what was cancelled and takes the others one step further. */
    void step() {
        List.copyOf(members).stream()
                .filter(m -> m.generation().isCancelled())
                .forEach(m -> leave(m, FinishReason.CANCELLED));
        List<Member> ready = members.stream().filter(Member::isReady).toList();
        propose(ready);
        choose(ready);
        if (feeds.isEmpty()) {
            return;
        }
        draws.clear();
        for (int i = 0; i < fed.size(); i++) {
            fed.get(i).continuation().ask(feeds.get(i), draws);
        }
        try {
            model.step(feeds, draws);
        } catch (DeviceMemoryException e) {
            // the pages of all together are used up: the youngest gives way, the others go on
            fail(fed.getLast(), e);
            return;
        }
        take();
    }

    /** Asks the MTP block for proposals, all in one step. */
    private void propose(List<Member> ready) {
        List<Continuation> wanting = ready.stream()
                .map(Member::continuation)
                .filter(Continuation::wantsDraft)
                .limit(maxTokens)
                .toList();
        if (wanting.isEmpty()) {
            return;
        }
        proposals.clear();
        wanting.forEach(c -> c.askProposal(proposals));
        model.draft(
                wanting.stream().map(Continuation::session).toList(),
                wanting.stream().mapToInt(Continuation::pending).toArray(),
                proposals);
        for (int i = 0; i < wanting.size(); i++) {
            wanting.get(i).propose(proposals, i, vocabulary);
        }
    }

    /**
     * Answers first, since people wait for their next token; prompts share what is left. A prompt that all ranks compute has a
     * step of its own, every other step while there are answers.
     */
    private void choose(List<Member> ready) {
        fed.clear();
        feeds.clear();
        alone = !alone && addAlone(ready);
        if (!alone) {
            addTogether(ready);
        }
        if (feeds.isEmpty()) {
            alone = addAlone(ready);
        }
    }

    private boolean addAlone(List<Member> ready) {
        // one prompt after the other: ranks forget the one before
        Member first = lastAlone != null && ready.contains(lastAlone) ? lastAlone : null;
        return first != null && addAlone(first) || ready.stream().anyMatch(this::addAlone);
    }

    private boolean addAlone(Member m) {
        int tokens = m.continuation().isInPrompt() ? next(m) : 0;
        if (tokens > maxTokens) {
            add(m, tokens);
            lastAlone = m;
        }
        return tokens > maxTokens;
    }

    private int next(Member m) {
        return model.next(m.continuation().session(), m.continuation().inPrompt());
    }

    private void addTogether(List<Member> ready) {
        int left = maxTokens;
        for (Member m : ready) {
            if (!m.continuation().isInPrompt() && left >= m.continuation().least()) {
                left -= add(m, 1);
            }
        }
        left = Math.min(left, promptTokens);
        for (Member m : ready) {
            int tokens = m.continuation().isInPrompt() && left > 0 ? next(m) : 0;
            if (tokens > 0 && tokens <= maxTokens) {
                left -= add(m, Math.min(left, tokens));
            }
        }
    }

    private int add(Member member, int most) {
        Feed feed = member.continuation().feed(most);
        fed.add(member);
        feeds.add(feed);
        return feed.tokens().length;
    }

    private void take() {
        int row = 0;
        for (int i = 0; i < fed.size(); i++) {
            Member m = fed.get(i);
            try {
                m.continuation().take(feeds.get(i), draws, row, vocabulary);
                if (m.continuation().reason() != null) {
                    leave(m, m.continuation().reason());
                }
            } catch (RuntimeException e) {
                fail(m, e); // of the request's own receiver or test
            }
            row += feeds.get(i).wanted();
        }
        // whoever had no turn because the step was full comes first next time
        members.removeAll(fed);
        fed.removeIf(m -> m.generation().reason() != null);
        members.addAll(fed);
    }

    private void leave(Member member, FinishReason reason) {
        Session session = member.continuation().session();
        if (cache != null && session.position() > 0) {
            cache.remember(session); // a conversation goes on from here
        }
        close(member);
        member.generation().finish(reason);
    }

    private void fail(Member member, RuntimeException cause) {
        close(member);
        member.generation().fail(cause);
    }

    private void close(Member member) {
        members.remove(member);
        member.continuation().session().close();
        taken.decrementAndGet();
    }

    void cancelAll() {
        List.copyOf(members).forEach(m -> leave(m, FinishReason.CANCELLED));
    }

    void failAll(RuntimeException cause) {
        List.copyOf(members).forEach(m -> fail(m, cause));
    }
}
